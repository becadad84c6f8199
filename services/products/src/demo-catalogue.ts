import { AppError } from '@halles/kit/errors'
import { parseDecimal } from '@halles/kit/money'
import {
  defaultVariantTitle,
  type ImportedProduct,
  type ImportedVariant,
} from './import/imported-product.ts'
import { deriveSku } from './import/shopify-row.ts'

/** Option values, price in euros, pieces in stock, grams packed, and the former price if reduced. */
type VariantRow = [
  values: string[],
  euros: string,
  stock: number,
  weightGrams: number,
  compareAtEuros?: string,
]

type Entry = Pick<ImportedProduct, 'slug' | 'title' | 'tags' | 'options'> & {
  text: string
  variants: VariantRow[]
}

const cheese: Entry[] = [
  {
    slug: 'comte-18-months',
    title: 'Comté, 18 months',
    tags: ['cow', 'raw milk', 'hard'],
    options: ['Weight'],
    text: 'Cut to order from a wheel that spent a year and a half on spruce boards in a cool mountain cellar. The paste is firm and supple, with toasted hazelnut first, then brown butter and a hint of dried apricot. Small white crystals crackle between the teeth: a sign of patience, not of salt. Take it out of the fridge an hour before you serve it.',
    variants: [
      [['250 g'], '7.90', 60, 270],
      [['500 g'], '15.20', 40, 530],
      [['1 kg'], '29.50', 15, 1_040],
    ],
  },
  {
    slug: 'brie-de-ferme',
    title: 'Farmhouse Brie',
    tags: ['cow', 'raw milk', 'soft'],
    options: ['Ripeness'],
    text: 'A broad, flat wheel ladled by hand, with a thin bloomy rind and a straw-coloured heart. Young, it is chalky in the middle and tastes of fresh cream and mushrooms; ripe, it slumps gently towards the bread and grows deeper, almost like broth. We wrap a generous wedge in waxed paper so that it can go on breathing in your kitchen.',
    variants: [
      [['Young'], '5.40', 35, 260],
      [['Ripe'], '5.40', 30, 260],
    ],
  },
  {
    slug: 'goat-crottin',
    title: 'Little Goat Crottin',
    tags: ['goat', 'raw milk', 'small'],
    options: ['Age', 'Pack'],
    text: 'Small drums of goat’s cheese from a herd of ninety that grazes oak scrub and wild thyme. At ten days they are moist and lemony, ready for a salad with walnuts; at five weeks they are wrinkled, nutty and just sharp enough to make a glass of white wine stand up straight. Slide one under the grill on a slice of country bread.',
    variants: [
      [['Ten days', 'Single'], '2.60', 80, 80],
      [['Ten days', 'Four'], '9.60', 30, 320],
      [['Five weeks', 'Single'], '3.10', 50, 65],
      [['Five weeks', 'Four'], '11.40', 18, 260],
    ],
  },
  {
    slug: 'blue-of-the-caves',
    title: 'Blue of the Caves',
    tags: ['sheep', 'raw milk', 'blue'],
    options: ['Weight'],
    text: 'Sheep’s milk, sea salt and a draughty limestone cave: that is the whole recipe. The ivory paste is shot through with blue-green veins and melts at the warmth of a finger, salty at first and then surprisingly sweet. Crumble it over pears, fold it into a sauce for steak, or simply give it a spoon of chestnut honey and good company.',
    variants: [
      [['150 g'], '5.90', 45, 165],
      [['300 g'], '11.20', 25, 320],
    ],
  },
]

const bakery: Entry[] = [
  {
    slug: 'market-sourdough',
    title: 'Market Sourdough',
    tags: ['bread', 'sourdough', 'vegan'],
    options: ['Size'],
    text: 'A dark, blistered loaf raised for twenty hours on a starter that is older than the youngest baker. The flour is stone-ground and keeps a little of its bran, so the crumb is cream-coloured, moist and faintly tangy. It is at its best the day after baking, and makes honest toast for the rest of the week.',
    variants: [
      [['Half loaf'], '3.40', 40, 500],
      [['Whole loaf'], '6.50', 30, 1_000],
    ],
  },
  {
    slug: 'walnut-rye',
    title: 'Walnut Rye',
    tags: ['bread', 'rye', 'nuts', 'vegan'],
    options: [],
    text: 'Dense, round and heavy for its size, this rye is packed with walnuts that were cracked the same week. They turn the crumb a soft violet and lend it a sweet, slightly tannic edge that loves blue cheese and cold butter. Slice it thinly with a long serrated knife, wrap what is left in linen, and it will keep for six days.',
    variants: [[[], '5.20', 36, 600]],
  },
  {
    slug: 'butter-palmiers',
    title: 'Butter Palmiers',
    tags: ['biscuit', 'butter'],
    options: ['Pack'],
    text: 'Puff pastry folded six times with cultured butter, rolled in cane sugar and baked until the edges turn to amber glass. Each biscuit shatters, then melts, and leaves the taste of caramel and a pinch of grey salt. They travel well in their tin-lined box, which is useful, because nobody has yet reached home with a full one.',
    variants: [
      [['Box of 8'], '4.80', 50, 210],
      [['Box of 20'], '10.90', 25, 500],
    ],
  },
  {
    slug: 'honey-spice-loaf',
    title: 'Honey Spice Loaf',
    tags: ['cake', 'honey', 'winter'],
    options: ['Flavour'],
    text: 'Half honey, half rye flour, and no hurry at all: the dough rests for a month before it sees the oven. Aniseed, cinnamon and a little clove warm the slice without shouting over the honey. Eat it plain with coffee, spread with salted butter at four o’clock, or toast a piece to go under foie gras or a soft goat’s cheese.',
    variants: [
      [['Plain'], '7.50', 30, 420],
      [['Candied orange'], '8.20', 24, 440],
      [['Ginger'], '8.20', 0, 440],
    ],
  },
]

const coffee: Entry[] = [
  {
    slug: 'first-bell-espresso',
    title: 'First Bell Espresso',
    tags: ['coffee', 'espresso', 'blend'],
    options: ['Weight', 'Grind'],
    text: 'The blend that wakes the market porters at four in the morning. Two parts washed beans from the highlands and one part sun-dried, roasted to a medium brown so that chocolate and roasted almond come before any bitterness. It pours with a thick hazel crema, stands up to hot milk, and forgives a machine that is not quite warm yet.',
    variants: [
      [['250 g', 'Whole beans'], '8.90', 70, 265],
      [['250 g', 'Espresso'], '8.90', 55, 265],
      [['250 g', 'Stovetop'], '8.90', 40, 265],
      [['1 kg', 'Whole beans'], '32.00', 25, 1_030],
    ],
  },
  {
    slug: 'high-garden-filter',
    title: 'High Garden Filter',
    tags: ['coffee', 'filter', 'single origin'],
    options: ['Grind'],
    text: 'Beans grown by a cooperative of forty families in the shade of banana trees, washed in spring water and roasted lightly enough to keep their perfume. Brewed slowly through paper, the cup is clear and bright: bergamot, red currant and a finish like black tea with honey. Let it cool for a minute, because the fruit arrives late.',
    variants: [
      [['Whole beans'], '11.50', 40, 265],
      [['Filter'], '11.50', 35, 265],
    ],
  },
  {
    slug: 'midnight-decaf',
    title: 'Midnight Decaf',
    tags: ['coffee', 'decaffeinated'],
    options: ['Grind'],
    text: 'Decaffeinated with nothing but water and time, then roasted by the same hands as every other bag on the stall. What is left is what matters: cocoa, malt and a rounded sweetness that suits the end of a long dinner. We blind-tasted it against our espresso for a week, and twice the whole team picked this one as the real thing.',
    variants: [
      [['Whole beans'], '9.80', 30, 265],
      [['Espresso'], '9.80', 30, 265],
    ],
  },
  {
    slug: 'enamel-pour-over-set',
    title: 'Enamel Pour-Over Set',
    tags: ['coffee', 'equipment', 'gift'],
    options: ['Colour'],
    text: 'A dripper, a half-litre pot and two cups in thick enamelled steel, the kind that survives a picnic and improves with a chip or two. The ribs inside the cone keep the paper off the wall, so water runs evenly and the coffee tastes clean. Forty paper filters come in the box; after that, any size-two filter fits.',
    variants: [
      [['Cream'], '48.00', 12, 1_450, '56.00'],
      [['Bottle green'], '48.00', 9, 1_450, '56.00'],
      [['Midnight blue'], '52.00', 7, 1_450],
    ],
  },
]

const preserves: Entry[] = [
  {
    slug: 'apricot-jam',
    title: 'Roasted Apricot Jam',
    tags: ['jam', 'fruit', 'vegan'],
    options: ['Jar'],
    text: 'Apricots picked so ripe that they could not have travelled, split and roasted with a little sugar before they meet the copper pan. The jam is loose, deep orange and full of soft halves, with a kernel in each jar for its breath of bitter almond. Spoon it over yoghurt, or hide it under the almonds of a summer tart.',
    variants: [
      [['230 g'], '4.90', 65, 390],
      [['350 g'], '6.70', 48, 560],
    ],
  },
  {
    slug: 'wildflower-honey',
    title: 'Wildflower Honey',
    tags: ['honey', 'raw'],
    options: ['Jar'],
    text: 'One beekeeper, sixty hives and a hillside that flowers from March to the first frost. The honey is spun cold and never filtered fine, so each harvest has its own colour and sets slowly into a creamy spread. This year’s is amber with notes of bramble, lime blossom and warm hay; a spoonful in hot milk is worth a whole medicine cabinet.',
    variants: [
      [['250 g'], '7.20', 50, 420],
      [['500 g'], '12.80', 32, 760],
    ],
  },
  {
    slug: 'old-style-mustard',
    title: 'Old-Style Mustard',
    tags: ['condiment', 'mustard', 'vegan'],
    options: ['Flavour'],
    text: 'Brown mustard seeds, cracked rather than ground, soaked in cider vinegar until they pop like caviar. The heat climbs gently and stays out of the nose, leaving room for the grain and a touch of apple. It turns a plain vinaigrette into something worth mopping up, and a roast chicken into Sunday. Keep it in the fridge once opened.',
    variants: [
      [['Plain'], '3.90', 70, 330],
      [['Tarragon'], '4.30', 44, 330],
      [['Smoked'], '4.50', 38, 330],
    ],
  },
  {
    slug: 'confit-tomatoes',
    title: 'Slow Confit Tomatoes',
    tags: ['vegetable', 'antipasti', 'vegan'],
    options: [],
    text: 'Plum tomatoes halved on the day they are picked, then left for nine hours in a barely warm oven with garlic, thyme and bay. They shrink to something between fruit and vegetable, glossy and intensely sweet, and are packed under olive oil that you will want to save for a salad. Lovely on hot toast, better still beside grilled sardines.',
    variants: [[[], '8.40', 42, 480]],
  },
]

const linen: Entry[] = [
  {
    slug: 'linen-tea-towel',
    title: 'Washed Linen Tea Towel',
    tags: ['linen', 'kitchen'],
    options: ['Colour'],
    text: 'Woven from flax grown within sight of the sea and washed until it has lost all stiffness, this towel dries glasses without leaving a thread behind. A loop of herringbone tape sits in one corner and a single coloured stripe runs along each edge. It will outlive several dishwashers and grow softer with each one.',
    variants: [
      [['Natural'], '14.00', 40, 140],
      [['Indigo stripe'], '14.00', 34, 140],
      [['Brick stripe'], '14.00', 28, 140],
    ],
  },
  {
    slug: 'market-apron',
    title: 'Market Apron',
    tags: ['linen', 'kitchen', 'gift'],
    options: ['Colour', 'Size'],
    text: 'The apron our stallholders wear, cut from heavy linen canvas with crossed straps, so that nothing pulls on the neck at the end of a twelve-hour day. Two deep pockets take a pencil, a corkscrew and a phone; a third holds the towel. The dye is fixed in the yarn, which means it fades handsomely instead of in patches.',
    variants: [
      [['Charcoal', 'Regular'], '42.00', 16, 380],
      [['Charcoal', 'Long'], '45.00', 11, 430],
      [['Ochre', 'Regular'], '42.00', 14, 380],
      [['Ochre', 'Long'], '45.00', 6, 430],
    ],
  },
  {
    slug: 'bread-bag',
    title: 'Linen Bread Bag',
    tags: ['linen', 'bread', 'zero waste'],
    options: ['Size'],
    text: 'Bread needs to breathe, but not too much. This double-walled linen bag keeps a crust crisp and a crumb tender for a good three days, and hangs from its drawstring wherever the cat cannot reach. The long one takes two baguettes with their noses out; the round one was drawn around our own whole sourdough.',
    variants: [
      [['Long'], '19.50', 25, 150],
      [['Round'], '18.00', 22, 130],
    ],
  },
  {
    slug: 'willow-market-basket',
    title: 'Willow Market Basket',
    tags: ['basket', 'willow', 'handmade'],
    options: ['Size'],
    text: 'Woven from unpeeled willow by a couple who cut their own rods in winter and weave them green in spring. The oval base sits flat in a bicycle carrier, the handle is wrapped so that it does not bite, and the weave is open enough for leeks to be admired. No two have quite the same shade of brown. Brush it, air it, leave it to your children.',
    variants: [
      [['Small'], '39.00', 10, 700],
      [['Medium'], '54.00', 8, 1_050],
      [['Large'], '69.00', 5, 1_500],
    ],
  },
]

const tools: Entry[] = [
  {
    slug: 'paring-knife',
    title: 'Stallholder’s Paring Knife',
    tags: ['knife', 'carbon steel'],
    options: ['Handle'],
    text: 'Nine centimetres of thin carbon steel that takes an edge from the back of a plate and keeps it through a crate of artichokes. The blade is light enough to turn an apple in the air, stiff enough to find its way around a chicken joint. It will darken with use; wipe it dry and that grey patina becomes its best protection.',
    variants: [
      [['Beech'], '16.00', 45, 60],
      [['Olive wood'], '24.00', 20, 65],
    ],
  },
  {
    slug: 'cheese-knife-set',
    title: 'Three Cheese Knives',
    tags: ['knife', 'cheese', 'gift'],
    options: ['Handle'],
    text: 'One knife for each temper: a pierced blade that lets soft cheese go, a short spade to break the hard ones along their grain, and a narrow fork-tipped knife to cut and pass the slice in a single movement. They are forged from stainless steel, ground by hand, and lie in an ash box that doubles as a small serving board.',
    variants: [
      [['Ash'], '58.00', 14, 620, '65.00'],
      [['Dark horn'], '74.00', 6, 640],
    ],
  },
  {
    slug: 'olive-wood-board',
    title: 'Olive Wood Board',
    tags: ['board', 'wood', 'handmade'],
    options: ['Size'],
    text: 'Sawn from pruned trunks of trees too old to bear, dried for two years and finished with nothing but oil. The grain swirls like smoke and no two boards repeat it. The wood is dense enough to shrug off a bread knife and smells faintly of pepper when wet. Rub it with a drop of olive oil when it looks thirsty, and never let it swim.',
    variants: [
      [['25 cm'], '29.00', 18, 650],
      [['40 cm'], '49.00', 10, 1_500],
    ],
  },
  {
    slug: 'copper-jam-pan',
    title: 'Copper Jam Pan',
    tags: ['copper', 'pan', 'handmade'],
    options: ['Diameter'],
    text: 'Wide, shallow and hammered from a single sheet of copper, so that fruit boils fast and keeps its colour. The slanted wall lets steam escape, the rolled rim does not drip, and the cast handles are riveted for a lifetime of July afternoons. Leave the inside bare, as sugar likes it, and rub it with salt and lemon before the season starts.',
    variants: [
      [['30 cm'], '98.00', 6, 1_900],
      [['38 cm'], '139.00', 3, 3_100, '155.00'],
    ],
  },
]

const stalls = [
  { category: 'Cheese', vendor: 'Cave des Trois Sapins', entries: cheese },
  { category: 'Bakery', vendor: 'Fournil de la Criée', entries: bakery },
  { category: 'Coffee', vendor: 'Brûlerie du Pavillon', entries: coffee },
  { category: 'Preserves', vendor: 'Odette et Filles', entries: preserves },
  { category: 'Linen & baskets', vendor: 'Atelier du Carreau', entries: linen },
  { category: 'Knives & tools', vendor: 'Coutellerie du Pont-Neuf', entries: tools },
]

/** What a new shop shows before its own products arrive: six stalls of a French food market. */
export const demoCatalogue: readonly ImportedProduct[] = stalls.flatMap(
  ({ category, vendor, entries }) =>
    entries.map(({ text, variants, ...entry }) => ({
      ...entry,
      descriptionHtml: `<p>${text}</p>`,
      vendor,
      category,
      status: 'active' as const,
      images: [],
      variants: variants.map((row) => toVariant(entry.slug, row)),
    })),
)

function toVariant(slug: string, row: VariantRow): ImportedVariant {
  const [optionValues, price, stock, weightGrams, compareAtPrice] = row
  return {
    sku: deriveSku(slug, optionValues),
    title: optionValues.join(' / ') || defaultVariantTitle,
    optionValues,
    price: euros(price),
    compareAtPrice: compareAtPrice === undefined ? null : euros(compareAtPrice),
    stock,
    weightGrams,
  }
}

function euros(text: string) {
  const money = parseDecimal(text, 'EUR')
  if (!money) throw new AppError('internal', 'INTERNAL', `${text} is not a price in euros.`)
  return money
}
