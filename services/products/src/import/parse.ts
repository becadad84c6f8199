import { isUtf8 } from 'node:buffer'
import { AppError } from '@halles/kit/errors'
import { readCsv } from './csv.ts'
import type { ImportedProduct } from './imported-product.ts'
import { createOnlineRetailReader, onlineRetailHeaders } from './online-retail.ts'
import { createRejections, type Rejection, type RejectionCode } from './rejections.ts'
import { createShopifyReader, shopifyHeaders } from './shopify.ts'

export type ImportFormat = 'shopify' | 'online-retail'

export type ImportOptions = {
  /** Told by the header row when it is not given. */
  format?: ImportFormat
  /** ISO 4217 code of a Shopify file's prices; invoice lines are in GBP. */
  currency: string
  /** Stock of a variant whose file does not say it; none when it is not given. */
  stock?: number
}

export type ParsedCatalogue = {
  format: ImportFormat
  products: ImportedProduct[]
  /** The first thousand, by line. */
  rejected: Rejection[]
  /** Rows that were rejected, with the rows of rejected products. */
  rejectedTotal: number
  rejectedByCode: Partial<Record<RejectionCode, number>>
  /** Rows that made the products: `acceptedLines + rejectedTotal = lines`. */
  acceptedLines: number
  /** Rows after the header; blank ones are not counted. */
  lines: number
}

/** The whole UCI data set has 46 MB; more is not a catalogue that one import should hold. */
const inputLimitBytes = 64 * 1024 * 1024

const headers = { shopify: shopifyHeaders, 'online-retail': onlineRetailHeaders } as const

/**
 * Reads a catalogue file into products and rejections. The same file gives the same result.
 * Throws `UNKNOWN_IMPORT_FORMAT`, `IMPORT_NOT_UTF8` or `IMPORT_TOO_LARGE` when it cannot be read
 * at all; everything else is a rejection with its line.
 */
export async function parseCatalogue(
  input: string | AsyncIterable<Buffer>,
  options: ImportOptions,
): Promise<ParsedCatalogue> {
  const rejections = createRejections()
  let opened: ReturnType<typeof openReader> | undefined
  let lines = 0
  await readCsv(await collect(input), {
    row(row) {
      if (!opened) {
        opened = openReader(row.fields, options, rejections)
        return
      }
      lines += 1
      if (row.fields.length === opened.width) {
        opened.reader.row(row)
      } else {
        const reason = `The row has ${row.fields.length} columns, the header has ${opened.width}.`
        rejections.add(row.line, { code: 'COLUMN_COUNT', reason })
      }
    },
    malformed(line, count, reason) {
      lines += count
      rejections.add(line, { code: 'MALFORMED_CSV', reason }, count)
    },
  })
  if (!opened) throw unknownFormat('The file has no header row.', options.format)
  const { products, acceptedLines } = await opened.reader.finish()
  return {
    format: opened.format,
    products,
    rejected: rejections.list(),
    rejectedTotal: rejections.rows(),
    rejectedByCode: rejections.rowsByCode(),
    acceptedLines,
    lines,
  }
}

function openReader(
  fields: readonly string[],
  { format: wanted, currency, stock = 0 }: ImportOptions,
  rejections: ReturnType<typeof createRejections>,
) {
  const header = fields.map((name) => name.trim().toLowerCase())
  const candidates: ImportFormat[] = wanted ? [wanted] : ['shopify', 'online-retail']
  const format = candidates.find((candidate) =>
    headers[candidate].every((name) => header.includes(name.toLowerCase())),
  )
  if (!format) throw unknownFormat('The header row is of no format that we know.', wanted)
  const reader =
    format === 'shopify'
      ? createShopifyReader(header, { currency, stock, rejections })
      : createOnlineRetailReader(header, { stock, rejections })
  return { format, reader, width: fields.length }
}

function unknownFormat(problem: string, wanted?: ImportFormat): AppError {
  const expected = {
    shopify: 'Shopify product CSV (Handle, Title, Variant Price, …)',
    'online-retail': `Online Retail invoice lines (${onlineRetailHeaders.join(', ')}, …)`,
  }
  const choice = wanted ? expected[wanted] : `${expected.shopify} or ${expected['online-retail']}`
  return new AppError(
    'unprocessable',
    'UNKNOWN_IMPORT_FORMAT',
    `${problem} Expected, separated by commas: ${choice}.`,
  )
}

async function collect(input: string | AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of typeof input === 'string' ? [Buffer.from(input)] : input) {
    size += chunk.length
    if (size > inputLimitBytes) {
      throw new AppError('too-large', 'IMPORT_TOO_LARGE', 'The file is larger than 64 MiB.')
    }
    chunks.push(chunk)
  }
  const bytes = Buffer.concat(chunks)
  if (!isUtf8(bytes)) {
    throw new AppError('unprocessable', 'IMPORT_NOT_UTF8', 'The file is not UTF-8; save it so.')
  }
  return bytes
}
