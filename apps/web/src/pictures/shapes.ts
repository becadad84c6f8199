/** Small words for SVG, so that a motif reads as what it draws. */

type Paint = { fill?: string; stroke?: string; width?: number; opacity?: number; turn?: number }

function paint({ fill = 'none', stroke, width = 4, opacity, turn }: Paint, at = '0 0'): string {
  const line = stroke
    ? ` stroke="${stroke}" stroke-width="${width}" stroke-linecap="round" stroke-linejoin="round"`
    : ''
  const faint = opacity === undefined ? '' : ` opacity="${opacity}"`
  const turned = turn === undefined ? '' : ` transform="rotate(${turn} ${at})"`
  return `fill="${fill}"${line}${faint}${turned}`
}

export function path(d: string, look: Paint): string {
  return `<path d="${d}" ${paint(look, '200 200')}/>`
}

export function ellipse(x: number, y: number, radii: [number, number], look: Paint): string {
  return `<ellipse cx="${x}" cy="${y}" rx="${radii[0]}" ry="${radii[1]}" ${paint(look, `${x} ${y}`)}/>`
}

export function rect(x: number, y: number, size: [number, number, number?], look: Paint): string {
  const [width, height, radius = 0] = size
  const middle = `${x + width / 2} ${y + height / 2}`
  return `<rect x="${x}" y="${y}" width="${width}" height="${height}" rx="${radius}" ${paint(look, middle)}/>`
}

/** The same shape at several places. */
export function each<T>(places: readonly T[], draw: (place: T, index: number) => string): string {
  return places.map(draw).join('')
}

/** The soft shadow on which a thing stands. */
export function shadow(x: number, width: number, y = 318): string {
  return ellipse(x, y, [width / 2, 11], { fill: '#1d2a24', opacity: 0.14 })
}
