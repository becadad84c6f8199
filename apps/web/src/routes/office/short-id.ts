/** The end of an id, by which people tell orders apart: its beginning is the time. */
export function shortId(id: string): string {
  return id.slice(-8)
}
