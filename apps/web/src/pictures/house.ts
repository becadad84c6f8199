import type { Palette } from './palette.ts'
import { each, ellipse, path, rect, shadow } from './shapes.ts'

export function coffeePot({ main, light, dark }: Palette): string {
  return [
    shadow(200, 250),
    path('M128 196h144l14 112c0 8-8 12-16 12H130c-8 0-16-4-16-12z', { fill: main }),
    path('M140 200h24l-8 112h-20c-6 0-10-4-10-8z', { fill: light, opacity: 0.7 }),
    path('M114 250c-44-6-52-52-24-62', { stroke: main, width: 16 }),
    path('M284 214c44-4 62 22 52 54-6 20-26 26-44 20', { stroke: dark, width: 13 }),
    path('M140 118h120l-34 66h-52z', { fill: '#f7f1e4' }),
    path('M152 126l26 52M248 126l-26 52M200 124v56', { stroke: '#d9cdb4', width: 4 }),
    rect(124, 182, [152, 16, 8], { fill: dark }),
  ].join('')
}

export function towel({ main, dark }: Palette): string {
  return [
    path('M70 92h260', { stroke: '#8b6a45', width: 10 }),
    path('M108 92h184v214c-40 14-60-6-92 6s-60 4-92-4z', { fill: '#f8f3e7' }),
    path('M108 92h184v26H108z', { fill: '#ece3cf' }),
    each([138, 154, 246, 262], (x) => path(`M${x} 118v188`, { stroke: main, width: 8 })),
    path('M108 252h184M108 268h184', { stroke: dark, width: 5, opacity: 0.75 }),
    path('M108 308c32 8 60 16 92 4s52 8 92-6', { stroke: '#e0d6bf', width: 4 }),
  ].join('')
}

export function apron({ main, light, dark }: Palette): string {
  return [
    path('M160 130c-14-60 94-60 80 0', { stroke: dark, width: 8 }),
    path('M154 124h92l10 68c36 12 48 60 50 122H94c2-62 14-110 50-122z', { fill: main }),
    path('M154 124h92l3 20h-98z', { fill: light }),
    path('M148 236h104v36c0 10-8 16-18 16h-68c-10 0-18-6-18-16z', { fill: light }),
    path('M148 236h104', { stroke: dark, width: 5 }),
    path('M104 222c-20 6-34 20-40 40M296 222c20 6 34 20 40 40', { stroke: dark, width: 7 }),
  ].join('')
}

export function bag({ main, dark }: Palette): string {
  return [
    shadow(200, 220),
    path('M188 196c-10-70-60-94-84-92M216 196c6-70 48-96 72-98', { stroke: '#c98f52', width: 26 }),
    path('M120 178h160l16 128c0 8-6 12-14 12H118c-8 0-14-4-14-12z', { fill: '#f4ecdb' }),
    path('M120 178c30 14 130 14 160 0l4 30c-40 12-128 12-168 0z', { fill: '#e4d8bf' }),
    path('M112 224h176', { stroke: main, width: 7 }),
    path('M110 240h180', { stroke: main, width: 3 }),
    path('M176 268q24 26 48 0', { stroke: dark, width: 5 }),
  ].join('')
}

export function basket(): string {
  const rows = [214, 236, 258, 280]
  return [
    shadow(200, 270),
    path('M104 204c0-130 192-130 192 0', { stroke: '#8a5f33', width: 14 }),
    path('M78 200h244l-26 108c-2 8-10 12-18 12H122c-8 0-16-4-18-12z', { fill: '#c3935a' }),
    each(rows, (y, row) =>
      each([0, 1, 2, 3, 4], (column) => {
        const x = 96 + row * 5 + column * (44 - row * 2)
        return rect(x, y, [24, 12, 6], { fill: column % 2 === row % 2 ? '#a8763f' : '#d9b07a' })
      }),
    ),
    rect(70, 192, [260, 20, 10], { fill: '#8a5f33' }),
    path('M140 192c10-40 40-46 52-22M214 186c4-36 44-44 56-2', { stroke: '#4f7a52', width: 12 }),
    ellipse(172, 178, [22, 20], { fill: '#c8452f' }),
    ellipse(238, 180, [20, 18], { fill: '#dca72f' }),
  ].join('')
}

const blade = (d: string) => path(d, { fill: '#d3dadb' })
const shine = (d: string) => path(d, { stroke: '#f4f7f7', width: 4 })

export function knife(): string {
  return [
    shadow(206, 300, 312),
    blade('M86 262c60-70 120-110 168-130l20 26c-56 60-110 104-176 118-10 2-16-8-12-14z'),
    shine('M108 258c50-52 96-88 140-110'),
    path('M250 134l62-50c12-8 28 10 18 22l-54 54z', { fill: '#7b4b2a' }),
    each(
      [
        [280, 132],
        [302, 112],
      ] as const,
      ([x, y]) => ellipse(x, y, [5, 5], { fill: '#e6c98e' }),
    ),
    path('M78 306h250', { stroke: '#b5834f', width: 16 }),
  ].join('')
}

export function knives(): string {
  return [
    shadow(200, 280),
    blade('M116 104c24 30 28 70 20 112h-30c-10-44-8-84 10-112z'),
    blade('M186 110h28c6 36 4 74 2 106h-30c-4-32-6-70 0-106z'),
    path('M194 128v26M206 128v26', { stroke: '#b6c0c2', width: 5 }),
    blade('M262 216c-10-40-10-76-2-108l16 26 14-26c10 34 10 70 2 108z'),
    shine('M118 130c8 24 10 50 8 78M206 172v38M276 150v56'),
    each([106, 186, 262], (x) => rect(x, 214, [30, 96, 14], { fill: '#8a5f33' })),
    each([121, 201, 277], (x) => ellipse(x, 284, [4, 4], { fill: '#e6c98e' })),
  ].join('')
}

export function board(): string {
  return [
    shadow(200, 300),
    path(
      'M92 156c-6-26 14-44 40-44h140c30 0 54 20 52 62l-6 108c-2 24-20 36-44 36H134c-26 0-42-14-42-38z',
      {
        fill: '#b5834f',
      },
    ),
    path(
      'M120 138c60 8 130-4 190 8M104 188c70-10 150 20 216 4M102 236c66-14 140 22 216 2M106 280c60-12 140 16 206 0',
      {
        stroke: '#9a6a3a',
        width: 6,
      },
    ),
    ellipse(262, 150, [15, 15], { fill: '#efe3cd' }),
    ellipse(160, 226, [26, 12], { stroke: '#83592f', width: 5 }),
  ].join('')
}

export function pan({ main, light, dark }: Palette): string {
  return [
    shadow(200, 290),
    path('M70 206c-30-6-30-42 0-46M330 206c30-6 30-42 0-46', { stroke: '#c9a04a', width: 12 }),
    path('M62 180h276l-30 118c-4 14-14 20-28 20H120c-14 0-24-6-28-20z', { fill: main }),
    path('M92 190h30l22 118h-16c-10 0-16-4-18-12z', { fill: light, opacity: 0.8 }),
    ellipse(200, 180, [138, 30], { fill: light }),
    ellipse(200, 182, [122, 23], { fill: dark }),
    ellipse(200, 188, [104, 15], { fill: '#c8452f' }),
    each(
      [
        [160, 186],
        [214, 190],
        [246, 185],
      ] as const,
      ([x, y]) => ellipse(x, y, [8, 4], { fill: '#e27a60' }),
    ),
  ].join('')
}

export function crate({ main, light, dark }: Palette): string {
  return [
    shadow(200, 290),
    each(
      [
        [116, 196, 34],
        [176, 184, 40],
        [240, 190, 38],
        [292, 202, 30],
      ] as const,
      ([x, y, r], index) =>
        ellipse(x, y, [r, r], { fill: index % 2 === 0 ? main : light }) +
        path(`M${x} ${y - r + 4}q4-16 16-18`, { stroke: '#4f7a52', width: 6 }),
    ),
    path('M76 216h248v96c0 4-4 8-8 8H84c-4 0-8-4-8-8z', { fill: '#c3935a' }),
    each([216, 252, 288], (y) => rect(70, y, [260, 28, 4], { fill: '#d5ab7b' })),
    each([84, 304], (x) => rect(x, 212, [16, 108, 4], { fill: '#a8763f' })),
    path('M170 266h60', { stroke: dark, width: 8, opacity: 0.5 }),
  ].join('')
}
