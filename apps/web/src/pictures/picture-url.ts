/** Where the picture of a product without one of its own is drawn; see `draw.ts`. */
export function pictureUrl(name: string, category?: string | null): string {
  const query = category ? `?stall=${encodeURIComponent(category)}` : ''
  return `/pictures/${toPictureName(name)}.svg${query}`
}

/** `Comté, 18 months` → `comte-18-months`, the form of a slug. */
export function toPictureName(text: string): string {
  return (
    text
      .normalize('NFD')
      .replaceAll(/\p{M}/gu, '')
      .toLowerCase()
      .replaceAll(/[^a-z0-9]+/g, '-')
      .replaceAll(/^-+|-+$/g, '')
      .slice(0, 80) || 'goods'
  )
}
