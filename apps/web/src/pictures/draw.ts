import * as food from './food.ts'
import * as house from './house.ts'
import { clothOf, type Palette, shadesOf } from './palette.ts'

type Motif = (palette: Palette) => string

/** The first that fits draws: special names before their kinds. */
const motifs: readonly (readonly [RegExp, Motif])[] = [
  [/bread-bag|tote|linen-bag|\bbag\b/, house.bag],
  [/knife-set|knives/, house.knives],
  [/knife|blade|cleaver/, house.knife],
  [/board/, house.board],
  [/pan\b|pot\b|saucepan|kettle/, house.pan],
  [/pour-over|coffee-pot|dripper|brewer/, house.coffeePot],
  [/apron/, house.apron],
  [/towel|napkin|cloth|linen/, house.towel],
  [/basket|willow/, house.basket],
  [/brie|camembert|soft/, food.softCheese],
  [/crottin|goat/, food.crottins],
  [/blue/, food.blueCheese],
  [/comte|cheese|wheel/, food.cheeseWheel],
  [/jam|honey(?!-spice)|mustard|confit|preserve|jar|chutney|marmalade/, food.jar],
  [/espresso|decaf|filter|coffee|beans|roast/, food.coffeeBag],
  [/palmier|biscuit|cookie/, food.palmiers],
  [/spice-loaf|cake|brioche/, food.cake],
  [/rye|walnut|miche/, food.roundLoaf],
  [/sourdough|bread|loaf|bakery/, food.loaf],
]

/**
 * A picture of a product, drawn by its name: the same name always gives the same picture.
 * @param name a slug; @param category helps where the name alone says nothing.
 */
export function drawPicture(name: string, category = ''): string {
  const words = `${name} ${category}`.toLowerCase()
  const motif =
    motifs.find(([pattern]) => pattern.test(name))?.[1] ??
    motifs.find(([pattern]) => pattern.test(words))?.[1] ??
    house.crate
  const { back, counter } = clothOf(name)
  const palette: Palette = { back, counter, ...shadesOf(name) }
  return [
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 400 400" width="400" height="400">',
    `<rect width="400" height="400" fill="${back}"/>`,
    `<circle cx="200" cy="196" r="150" fill="#fff" opacity=".35"/>`,
    `<path d="M0 312h400v88H0z" fill="${counter}"/>`,
    motif(palette),
    '</svg>',
  ].join('')
}
