import type { Palette } from './palette.ts'
import { each, ellipse, path, rect, shadow } from './shapes.ts'

const rind = '#c9923e'
const paste = '#f4dd9a'
const pasteShade = '#e5c777'

export function cheeseWheel(): string {
  return [
    shadow(205, 270),
    path('M88 208v74c0 26 52 40 116 40s116-14 116-40v-74z', { fill: rind }),
    ellipse(204, 208, [116, 44], { fill: '#dcae5c' }),
    path('M204 208l112-14c6 24-12 44-52 53z', { fill: '#b67f2f' }),
    path('M204 208l60 39v74c-22 2-40 2-60 1z', { fill: paste }),
    path('M204 208l60 39v12l-60-38z', { fill: pasteShade }),
    each(
      [
        [226, 268],
        [242, 290],
        [222, 300],
      ] as const,
      ([x, y]) => ellipse(x, y, [5, 4], { fill: pasteShade }),
    ),
    path('M110 244c18 12 50 20 84 20', { stroke: '#b67f2f', width: 3 }),
  ].join('')
}

export function softCheese(): string {
  return [
    shadow(200, 260),
    path('M84 250v36c0 20 52 34 116 34s116-14 116-34v-36z', { fill: '#e6dcc4' }),
    ellipse(200, 250, [116, 46], { fill: '#f8f2e3' }),
    path('M200 250l100 24c-16 14-42 21-70 22z', { fill: paste }),
    path('M230 296c28-1 54-8 70-22v38c-16 8-40 12-66 13z', { fill: pasteShade }),
    path('M118 240c20-14 48-20 80-20M150 262c10 4 20 6 34 7', { stroke: '#e0d5bb', width: 4 }),
    path('M60 320h280', { stroke: '#b98f5b', width: 8 }),
  ].join('')
}

export function crottins(): string {
  const one = (x: number, y: number, scale: number) =>
    `<g transform="translate(${x} ${y}) scale(${scale})">${[
      path('M-58 0v44c0 14 26 24 58 24s58-10 58-24V0z', { fill: '#d9cfb6' }),
      ellipse(0, 0, [58, 22], { fill: '#f1e9d6' }),
      path('M-34 -4c14-8 40-10 62-4M-40 30c6 6 14 9 26 11', { stroke: '#c4b795', width: 4 }),
    ].join('')}</g>`
  return [
    shadow(200, 300),
    one(136, 252, 1),
    one(266, 254, 1),
    one(202, 196, 0.94),
    path('M206 178c4-30 20-46 40-52M222 152c-2-12-10-20-20-22M230 144c12 0 20-6 24-14', {
      stroke: '#5d7d52',
      width: 5,
    }),
  ].join('')
}

export function blueCheese(): string {
  return [
    shadow(204, 270),
    path('M84 286l196-104 46 62v58z', { fill: '#f2ecd9' }),
    path('M84 286l242-42v58L84 318z', { fill: '#e6dcc0' }),
    path('M280 182l46 62-242 42z', { fill: '#f8f3e4' }),
    each(
      ['M180 262q14 8 26 0', 'M236 236q12 10 22 2', 'M140 278q10 6 20 0', 'M270 262q14 6 26-2'],
      (d) => path(d, { stroke: '#5f7f97', width: 6 }),
    ),
    each(
      [
        [216, 286],
        [270, 288],
        [176, 296],
        [300, 270],
        [252, 212],
      ] as const,
      ([x, y]) => ellipse(x, y, [7, 5], { fill: '#7d9bb0' }),
    ),
  ].join('')
}

export function loaf({ dark }: Pick<Palette, 'dark'>): string {
  return [
    shadow(200, 290),
    path('M62 292c-14-70 42-132 138-132s152 62 138 132c-4 20-30 28-138 28s-134-8-138-28z', {
      fill: '#b9783f',
    }),
    path('M80 264c6-52 52-86 120-86s114 34 120 86c-40-18-200-18-240 0z', { fill: '#cf9357' }),
    each([128, 184, 240], (x) => path(`M${x} 262q10-52 40-70`, { stroke: '#f3dcb4', width: 13 })),
    path('M74 300c40 12 212 12 252 0', { stroke: dark, width: 3, opacity: 0.35 }),
  ].join('')
}

export function roundLoaf({ main, light, dark }: Palette): string {
  return [
    shadow(200, 260),
    ellipse(200, 242, [126, 80], { fill: main }),
    ellipse(200, 228, [112, 62], { fill: light }),
    path('M128 226q72-44 144 0M200 176v96', { stroke: '#f0dcbc', width: 9 }),
    each(
      [
        [150, 204],
        [252, 210],
        [166, 256],
        [236, 258],
      ] as const,
      ([x, y]) => ellipse(x, y, [9, 6], { fill: dark, opacity: 0.7, turn: 24 }),
    ),
  ].join('')
}

export function palmiers(): string {
  const heart = (x: number, y: number, turn: number) =>
    `<g transform="translate(${x} ${y}) rotate(${turn})">${[
      path('M0 46C-70 20-74-46-30-46-8-46 0-26 0-12 0-26 8-46 30-46 74-46 70 20 0 46z', {
        fill: '#d99c4a',
      }),
      path('M0 30C-46 10-54-28-30-28c12 0 20 12 20 26', { stroke: '#a96a24', width: 6 }),
      path('M0 30C46 10 54-28 30-28 18-28 10-16 10-2', { stroke: '#a96a24', width: 6 }),
    ].join('')}</g>`
  return [shadow(200, 280), heart(140, 262, -12), heart(262, 260, 12), heart(202, 204, 2)].join('')
}

export function cake({ main, light, dark }: Palette): string {
  return [
    shadow(204, 290),
    path('M70 210h232v92c0 10-8 16-18 16H88c-10 0-18-6-18-16z', { fill: main }),
    path('M66 214c0-34 20-46 46-46h148c26 0 46 12 46 46-40 18-200 18-240 0z', { fill: light }),
    path('M302 214l34 14v76c0 8-6 12-14 12h-38c12 0 18-6 18-14z', { fill: '#e9cfa2' }),
    each(
      [
        [112, 250],
        [160, 276],
        [212, 244],
        [258, 282],
      ] as const,
      ([x, y]) => ellipse(x, y, [8, 5], { fill: dark, opacity: 0.6 }),
    ),
    path('M110 186q90-22 150 2', { stroke: '#f6e6c6', width: 6 }),
  ].join('')
}

export function coffeeBag({ main, light, dark }: Palette): string {
  return [
    shadow(200, 230),
    path('M118 132h164l14 176c0 8-6 12-14 12H118c-8 0-14-4-14-12z', { fill: main }),
    path('M118 132h164l-6-30c-2-8-6-12-14-12H138c-8 0-12 4-14 12z', { fill: dark }),
    rect(118, 126, [164, 14, 4], { fill: light }),
    rect(138, 186, [124, 92, 8], { fill: '#f7efdf' }),
    ellipse(200, 222, [20, 27], { fill: main, turn: 28 }),
    path('M210 200c-16 14-2 26-18 44', { stroke: '#f7efdf', width: 4 }),
    path('M162 264h76', { stroke: light, width: 5 }),
    each(
      [
        [86, 312, 20],
        [112, 322, -30],
        [312, 318, 40],
        [336, 310, -10],
      ] as const,
      ([x, y, turn]) => ellipse(x, y, [13, 8], { fill: '#5a3d2f', turn }),
    ),
  ].join('')
}

export function jar({ main, light, dark }: Palette): string {
  return [
    shadow(200, 200),
    rect(116, 150, [168, 168, 26], { fill: '#eef3ef' }),
    path('M124 190h152v104c0 10-8 18-18 18H142c-10 0-18-8-18-18z', { fill: main }),
    path('M124 190h152v14c-40 10-110 10-152 0z', { fill: light }),
    each(
      [
        [152, 234],
        [246, 246],
        [168, 288],
        [236, 292],
        [258, 216],
      ] as const,
      ([x, y]) => ellipse(x, y, [9, 7], { fill: dark, opacity: 0.35 }),
    ),
    rect(150, 222, [100, 62, 6], { fill: '#fbf5e8' }),
    path('M168 244h64M176 262h48', { stroke: dark, width: 5 }),
    path('M110 118h180l10 34c-16 8-184 8-200 0z', { fill: '#b4442c' }),
    path('M130 120l-8 34M164 120l-4 36M200 120v37M236 120l4 36M270 120l8 34', {
      stroke: '#f6e9d8',
      width: 7,
    }),
    path('M108 154c50 10 134 10 184 0', { stroke: '#83301d', width: 5 }),
  ].join('')
}
