/** What tells a variant from the others; empty for the only one, as imports and the API call it. */
export function variantName(title: string): string {
  return /^default( title)?$/i.test(title) ? '' : title
}
