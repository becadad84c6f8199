import { writeFileSync } from 'node:fs'
import { basename } from 'node:path'
import type { Import } from '@halles/contracts/gen/http/products'
import { AppError } from '@halles/kit/errors'
import { followImport } from '../import-client.ts'
import { readCatalogueFile } from '../import-file.ts'
import { createProgress } from '../import-progress.ts'
import type { Session } from '../shop-session.ts'
import { type Command, type Context, type Input, textOf, usage } from './command.ts'

// What fits on a screen; --rejected has the rest.
const shownRejections = 20

const count = (value: number) => value.toLocaleString('en')

type FileReport = Import & { file: string }

export const importFiles: Command = {
  name: 'import',
  summary: 'Import products from files.',
  words: ['<file>', '[file …]'],
  options: {
    currency: { type: 'string' },
    quantity: { type: 'string' },
    rejected: { type: 'string' },
  },
  help: `  <file>                a Shopify product CSV or an Online Retail invoice CSV, plain or .gz
  --currency CODE       currency of the prices of a Shopify file (the shop's)
  --quantity N          stock of new products whose file gives none (0)
  --rejected FILE       write every rejected row that the shop tells of, as JSON lines

Importing a file again changes nothing; importing a newer one updates what differs. Rows that cannot
be sold are reported and do not count as a failure.`,
  example: 'products.csv --currency EUR',
  async run(input, context) {
    const query = readQuery(input)
    const session = await context.session()
    const reports: FileReport[] = []
    const failures: { file: string; message: string }[] = []
    for (const file of input.words) {
      try {
        const report = await importFile(session, file, query)
        reports.push({ file, ...report })
        if (report.status === 'finished') continue
        failures.push({ file, message: report.problem ?? 'The import failed.' })
      } catch (error) {
        if (!(error instanceof AppError)) throw error
        failures.push({ file, message: error.message })
      }
    }
    for (const { file, message } of failures) context.progress(`${file}: ${message}`)
    const note = keepRejected(reports, textOf(input, 'rejected'))
    // A file that could not be read at all has nothing to count.
    const texts = reports.filter(({ format }) => format !== null).map(summarize)
    tell(context, { reports, failures }, [...texts, ...note])
    return failures.length === 0
  },
}

function tell({ show }: Context, json: unknown, lines: readonly string[]): void {
  show({ json, text: lines.length > 0 ? lines.join('\n') : 'Nothing was imported.' })
}

function readQuery(input: Input): URLSearchParams {
  const [currency, quantity] = [textOf(input, 'currency'), textOf(input, 'quantity')]
  if (currency !== undefined && !/^[A-Z]{3}$/.test(currency)) {
    throw usage(`--currency: "${currency}" is not a currency code such as EUR.`)
  }
  if (quantity !== undefined && !/^\d{1,7}$/.test(quantity)) {
    throw usage(`--quantity: "${quantity}" is not a number of pieces.`)
  }
  const query = new URLSearchParams()
  if (currency !== undefined) query.set('currency', currency)
  if (quantity !== undefined) query.set('quantity', quantity)
  return query
}

async function importFile(session: Session, file: string, query: URLSearchParams): Promise<Import> {
  const content = await readCatalogueFile(file)
  // Beside the result, which may be piped to a program.
  const progress = createProgress(basename(file), process.stderr)
  try {
    return await followImport(session, { content, query, onProgress: (now) => progress.show(now) })
  } finally {
    progress.end()
  }
}

function keepRejected(reports: readonly FileReport[], file: string | undefined): string[] {
  if (file === undefined) return []
  const rows = reports.flatMap((report) =>
    report.rejected.map((row) => JSON.stringify({ file: report.file, ...row })),
  )
  writeFileSync(file, rows.map((row) => `${row}\n`).join(''))
  return [`${count(rows.length)} rejected rows are in ${file}.`]
}

function summarize({ file, ...report }: FileReport): string {
  const { created, updated, unchanged, rejectedTotal, rejected, rejectedByReason } = report
  const reasons = Object.entries(rejectedByReason).sort(([, a], [, b]) => b - a)
  const more = rejectedTotal - Math.min(shownRejections, rejected.length)
  return [
    `${file} (${report.format}): ${count(created)} created, ${count(updated)} updated, ` +
      `${count(unchanged)} unchanged; ${count(rejectedTotal)} rows rejected`,
    ...reasons.map(([reason, rows]) => `  ${count(rows).padStart(8)}  ${reason}`),
    ...rejected
      .slice(0, shownRejections)
      .map(({ line, reason }) => `  line ${String(line).padStart(6)}  ${reason}`),
    ...(more > 0 && rejected.length > 0
      ? [`  … and ${count(more)} more rows; --rejected FILE writes what is known of them.`]
      : []),
  ].join('\n')
}
