export const categories = ['performance', 'accessibility', 'best-practices', 'seo'] as const
export type Category = (typeof categories)[number]

/** What the shop promises of its home page, a stall and a product. */
export const leastScores: Readonly<Record<Category, number>> = {
  performance: 95,
  accessibility: 100,
  'best-practices': 100,
  seo: 95,
}

/** When the largest thing of a page is to be seen, at the latest. */
const mostLcpMs = 1_200

/** One check of Lighthouse; its score is null where it does not apply. */
export type Audit = {
  title: string
  score: number | null
  displayValue?: string
  numericValue?: number
  details?: { items?: readonly { node?: { snippet?: string }; description?: string }[] }
}

/** One visit to one page. */
export type Round = {
  /** 0 to 100; without those that were not asked for. */
  scores: Partial<Record<Category, number>>
  lcpMs: number
  cls: number
  tbtMs: number
  bytes: number
  /** Lighthouse's own yardstick of the machine's processor, which others may be using. */
  speed: number
  /** Checks that cost points. */
  faults: { category: Category; id: string; audit: Audit }[]
  html: string
  json: string
}

export type PageResult = {
  name: string
  /** Whether the promise holds for it; the others are only shown. */
  isPromised: boolean
  /** The middle one by performance, then by LCP: one that took place, with its report. */
  round: Round
}

/** The middle round: with an even number the worse of the two. */
export function middleOf(rounds: readonly Round[]): Round {
  const points = ({ scores }: Round) => scores.performance ?? 0
  const sorted = rounds.toSorted((a, b) => points(b) - points(a) || a.lcpMs - b.lcpMs)
  const middle = sorted[Math.floor(sorted.length / 2)]
  if (middle === undefined) throw new Error('No round was measured.')
  return middle
}

/** What is below the promise, with the checks that cost points; empty when all is well. */
export function shortfalls({ scores, faults, lcpMs }: Round): string[] {
  const isLate = scores.performance !== undefined && lcpMs > mostLcpMs
  const late = isLate ? [`LCP after ${lcpMs.toFixed(0)} ms, promised ${mostLcpMs}`] : []
  const low = categories.flatMap((category) => {
    const score = scores[category]
    if (score === undefined || score >= leastScores[category]) return []
    const why = faults.filter((fault) => fault.category === category).map(describeFault)
    return [[`${category} ${score}, promised ${leastScores[category]}`, ...why].join('\n    ')]
  })
  return [...low, ...late]
}

function describeFault({ id, audit }: Round['faults'][number]): string {
  const where = (audit.details?.items ?? [])
    .map(({ node, description }) => node?.snippet ?? description)
    .filter((text) => text !== undefined)
    .slice(0, 5)
  return [`${id}: ${audit.title} ${audit.displayValue ?? ''}`.trimEnd(), ...where].join('\n      ')
}

const columns = ['perf.', 'access.', 'practices', 'SEO', 'LCP ms', 'CLS', 'TBT ms', 'KB', 'machine']

/** A line per page, then what is missing. */
export function toText(results: readonly PageResult[]): string {
  const row = (name: string, cells: readonly string[]) =>
    `${name.padEnd(10)}${cells.map((cell) => cell.padStart(10)).join('')}`
  const lines = results.map(({ name, round }) => {
    const { scores, lcpMs, cls, tbtMs, bytes, speed } = round
    const points = categories.map((category) => String(scores[category] ?? '–'))
    const figures = [
      lcpMs.toFixed(0),
      cls.toFixed(3),
      tbtMs.toFixed(0),
      (bytes / 1024).toFixed(0),
      speed.toFixed(0),
    ]
    return row(name, [...points, ...figures])
  })
  const missing = results
    .filter(({ isPromised }) => isPromised)
    .flatMap(({ name, round }) => shortfalls(round).map((text) => `  ${name}: ${text}`))
  return [row('', columns), ...lines, ...(missing.length > 0 ? ['', ...missing] : [])].join('\n')
}
