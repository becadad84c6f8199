/** The colours of one picture: flat fills with one lighter and one darker neighbour. */
export type Palette = { back: string; counter: string; main: string; light: string; dark: string }

/** A number that is the same for the same text, spread evenly (FNV-1a). */
export function hashOf(text: string): number {
  let hash = 0x811c9dc5
  for (const character of text) {
    hash ^= character.codePointAt(0) ?? 0
    hash = Math.imul(hash, 0x01000193)
  }
  return hash >>> 0
}

// Background and counter go together, like cloths on a stall.
const cloths: readonly (readonly [string, string])[] = [
  ['#f3e9d6', '#e3d3b5'],
  ['#e4ece4', '#cbdacd'],
  ['#f2e0d5', '#e2c7b6'],
  ['#e3e8ee', '#ccd5df'],
  ['#efe7ee', '#dccfdb'],
]

/** The cloth behind and under the goods, by the product's name. */
export function clothOf(name: string): { back: string; counter: string } {
  const [back, counter] = cloths[hashOf(name) % cloths.length] ?? ['#f3e9d6', '#e3d3b5']
  return { back, counter }
}

type Shades = Omit<Palette, 'back' | 'counter'>
const shades = (main: string, light: string, dark: string): Shades => ({ main, light, dark })

const colours: readonly (readonly [RegExp, Shades])[] = [
  [/rye|walnut|spice/, shades('#8a5a35', '#b3855c', '#5e3a1f')],
  [/apricot|orange|marmalade/, shades('#e08a2e', '#f2b25e', '#b5651a')],
  [/honey|mustard|lemon/, shades('#dca72f', '#f1cb67', '#a87a17')],
  [/tomato|chilli|strawberry|red/, shades('#c8452f', '#e27a60', '#922d1d')],
  [/espresso|midnight|decaf|cocoa|black/, shades('#4b342a', '#7a5a49', '#2c1d17')],
  [/filter|garden|green|herb|olive-oil/, shades('#4f7a52', '#84a985', '#335437')],
  [/blue/, shades('#5f7f97', '#93b0c4', '#3c5a70')],
  [/copper/, shades('#c2713f', '#e3a06f', '#8c4a23')],
  [/wood|board|olive/, shades('#b5834f', '#d5ab7b', '#83592f')],
]

/** The colour that a product's name asks for; else one of a row that goes with every cloth. */
export function shadesOf(name: string): Shades {
  const asked = colours.find(([pattern]) => pattern.test(name))
  if (asked) return asked[1]
  const row = [
    shades('#2f6b55', '#6a9f89', '#1d4a3a'),
    shades('#b4553a', '#d58a72', '#823a25'),
    shades('#c69a3b', '#e2c37a', '#957022'),
    shades('#5b6f8c', '#91a2ba', '#3c4d66'),
  ]
  return row[hashOf(name) % row.length] ?? shades('#2f6b55', '#6a9f89', '#1d4a3a')
}
