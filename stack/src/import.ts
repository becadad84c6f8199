import { writeFileSync } from 'node:fs'
import { basename } from 'node:path'
import { parseArgs } from 'node:util'
import type { Import } from '@halles/contracts/gen/http/products'
import { AppError } from '@halles/kit/errors'
import { openShop, type Shop } from './import-client.ts'
import { readCatalogueFile } from './import-file.ts'
import { createProgress } from './import-progress.ts'

const help = `Imports products from files.

  npm run import -- FILE… [options]

FILE is a Shopify product CSV or an Online Retail invoice CSV, plain or compressed (.gz).
Importing a file again changes nothing; importing a newer one updates what differs.

  --currency CODE    currency of the prices of a Shopify file (the shop's)
  --quantity N       stock of new products whose file gives none (0)
  --rejected FILE    write every rejected row that the shop tells of, as JSON lines
  --url URL          the shop (the one that runs on the data folder, or http://localhost:8080)
  --data DIR         folder with admin.json (or HALLES_DATA; .halles)
  --help             this text

Exits 0 when every file was imported, 1 when one could not be, 2 when called wrongly. Rows that
cannot be sold are reported and do not count as a failure.
`

const say = (text: string) => void process.stdout.write(`${text}\n`)
const count = (value: number) => value.toLocaleString('en')

/** Something is wrong with how we were called; exits 2. */
function refuse(message: string): never {
  process.stderr.write(`${message}\nTry: npm run import -- --help\n`)
  process.exit(2)
}

function parseArguments() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        currency: { type: 'string' },
        quantity: { type: 'string' },
        rejected: { type: 'string' },
        url: { type: 'string' },
        data: { type: 'string' },
        help: { type: 'boolean', default: false },
      },
    })
  } catch (error) {
    return refuse(error instanceof Error ? error.message : String(error))
  }
}

function readOptions() {
  const { values, positionals: files } = parseArguments()
  if (values.help) {
    say(help)
    process.exit(0)
  }
  if (files.length === 0) refuse('Name at least one file.')
  const { currency, quantity, url, rejected } = values
  if (currency !== undefined && !/^[A-Z]{3}$/.test(currency)) {
    refuse(`--currency: "${currency}" is not a currency code such as EUR.`)
  }
  if (quantity !== undefined && !/^\d{1,7}$/.test(quantity)) {
    refuse(`--quantity: "${quantity}" is not a number of pieces.`)
  }
  if (url !== undefined && !/^https?:$/.test(URL.parse(url)?.protocol ?? '')) {
    refuse(`--url: "${url}" is not an http(s) address.`)
  }
  const query = new URLSearchParams()
  if (currency !== undefined) query.set('currency', currency)
  if (quantity !== undefined) query.set('quantity', quantity)
  const dataFolder = values.data ?? process.env.HALLES_DATA ?? '.halles'
  return { files, query, url, rejectedFile: rejected, dataFolder }
}

async function importFile(shop: Shop, file: string, query: URLSearchParams): Promise<Import> {
  const content = await readCatalogueFile(file)
  const progress = createProgress(basename(file), process.stdout)
  try {
    return await shop.importCatalogue(content, query, (state) => progress.show(state))
  } finally {
    progress.end()
  }
}

// What fits on a screen; --rejected has the rest.
const shownRejections = 20

function summarize(file: string, report: Import): void {
  const { created, updated, unchanged, rejectedTotal, rejected, rejectedByReason } = report
  say(
    `${file} (${report.format}): ${count(created)} created, ${count(updated)} updated, ` +
      `${count(unchanged)} unchanged; ${count(rejectedTotal)} rows rejected`,
  )
  const reasons = Object.entries(rejectedByReason).sort(([, a], [, b]) => b - a)
  for (const [reason, rows] of reasons) say(`  ${count(rows).padStart(8)}  ${reason}`)
  for (const { line, reason } of rejected.slice(0, shownRejections)) {
    say(`  line ${String(line).padStart(6)}  ${reason}`)
  }
  const more = rejectedTotal - Math.min(shownRejections, rejected.length)
  if (more > 0 && rejected.length > 0) {
    say(`  … and ${count(more)} more rows; --rejected FILE writes what is known of them.`)
  }
}

async function main(): Promise<number> {
  const { files, query, url, rejectedFile, dataFolder } = readOptions()
  const shop = await openShop({ dataFolder, url })
  const rejectedRows: string[] = []
  let failures = 0
  for (const file of files) {
    try {
      const report = await importFile(shop, file, query)
      // A file that could not be read at all has nothing to count.
      if (report.format !== null) summarize(file, report)
      rejectedRows.push(...report.rejected.map((row) => JSON.stringify({ file, ...row })))
      if (report.status === 'finished') continue
      failures += 1
      process.stderr.write(`${file}: ${report.problem ?? 'The import failed.'}\n`)
    } catch (error) {
      if (!(error instanceof AppError)) throw error
      failures += 1
      process.stderr.write(`${file}: ${error.message}\n`)
    }
  }
  if (rejectedFile !== undefined) {
    writeFileSync(rejectedFile, rejectedRows.map((row) => `${row}\n`).join(''))
    say(`${count(rejectedRows.length)} rejected rows are in ${rejectedFile}.`)
  }
  return failures === 0 ? 0 : 1
}

try {
  process.exitCode = await main()
} catch (error) {
  const text =
    error instanceof AppError ? error.message : error instanceof Error ? error.stack : error
  process.stderr.write(`${text}\n`)
  process.exitCode = 1
}
