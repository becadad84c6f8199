import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setImmediate } from 'node:timers/promises'
import { CsvError, parse } from 'csv-parse'

/** A record and the physical line on which it begins (the first line of the file is 1). */
export type CsvRow = { line: number; fields: string[] }

export type CsvSink = {
  row(row: CsvRow): void
  /** A part that is no CSV: where it begins, how many lines are given up and why. */
  malformed(line: number, lines: number, reason: string): void
}

/** Far above a full product row; an unclosed quote stops here instead of eating the file. */
const recordLimitBytes = 256 * 1024

/** Each recovery may read up to a record's limit again; a file with more faults is no CSV. */
const recoveryLimit = 20

/** About 2 ms of parsing, after which other requests of the process get their turn. */
const sliceBytes = 64 * 1024

/**
 * Reads UTF-8 CSV (RFC 4180; LF, CRLF or CR; a byte order mark is skipped) row by row. Blank rows
 * are left out. A record that cannot be read is reported, and reading goes on at the line after.
 * What the sink throws is thrown.
 */
export async function readCsv(bytes: Buffer, sink: CsvSink): Promise<void> {
  const start = bytes.subarray(0, 3).equals(byteOrderMark) ? byteOrderMark.length : 0
  const position = { offset: start, line: 1 }
  for (let recoveries = 0; ; recoveries += 1) {
    const failure = await readRecords(bytes, position, sink)
    if (!failure) return
    if (recoveries === recoveryLimit) {
      const rest = bytes
        .subarray(position.offset)
        .toString()
        .split(/\r\n|\n|\r/)
      const lines = rest.filter((line) => line.trim() !== '').length
      sink.malformed(position.line, lines, `Too many faults; given up from here on. ${failure}`)
      return
    }
    sink.malformed(position.line, 1, failure)
    advance(bytes, position, lineEnd(bytes, position.offset))
  }
}

const byteOrderMark = Buffer.from([0xef, 0xbb, 0xbf])
const carriageReturn = 13
const lineFeed = 10

type Position = { offset: number; line: number }

/** Reads to the end, or to the first unreadable record: then says why, the position at its start. */
async function readRecords(bytes: Buffer, position: Position, sink: CsvSink) {
  const start = position.offset
  const parser = parse({
    // A stray quote inside a field is text; a field count that is off is for the caller to report.
    relax_quotes: true,
    relax_column_count: true,
    record_delimiter: ['\r\n', '\n', '\r'],
    max_record_size: recordLimitBytes,
    on_record(fields: string[], { bytes: consumed }) {
      const line = position.line
      // The parser's own line count takes a CRLF inside quotes for two lines.
      advance(bytes, position, start + consumed)
      if (fields.some((field) => field.trim() !== '')) sink.row({ line, fields })
      return null
    },
  })
  parser.resume()
  try {
    await pipeline(Readable.from(slices(bytes.subarray(start))), parser)
    return undefined
  } catch (error) {
    if (error instanceof CsvError) return faults[error.code] ?? 'This record is not valid CSV.'
    throw error
  }
}

const faults: Readonly<Record<string, string>> = {
  CSV_QUOTE_NOT_CLOSED: 'A quote is opened here and never closed.',
  CSV_MAX_RECORD_SIZE: 'This record is longer than 256 KiB; is a quote never closed?',
}

async function* slices(bytes: Buffer) {
  for (let offset = 0; offset < bytes.length; offset += sliceBytes) {
    yield bytes.subarray(offset, offset + sliceBytes)
    await setImmediate()
  }
}

/** Moves the position, counting the lines that end on the way. */
function advance(bytes: Buffer, position: Position, offset: number): void {
  while (position.offset < offset) {
    const byte = bytes[position.offset]
    position.offset += 1
    const isLineEnd =
      byte === lineFeed || (byte === carriageReturn && bytes[position.offset] !== lineFeed)
    if (isLineEnd) position.line += 1
  }
}

function lineEnd(bytes: Buffer, from: number): number {
  let offset = from
  while (offset < bytes.length && bytes[offset] !== lineFeed && bytes[offset] !== carriageReturn) {
    offset += 1
  }
  const isPair = bytes[offset] === carriageReturn && bytes[offset + 1] === lineFeed
  return Math.min(bytes.length, offset + (isPair ? 2 : 1))
}
