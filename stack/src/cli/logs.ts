import {
  closeSync,
  createReadStream,
  existsSync,
  openSync,
  readdirSync,
  readSync,
  statSync,
} from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { AppError } from '@halles/kit/errors'
import { agoOf, type Command, type Context, numberOf, textOf, usage } from './command.ts'
import { type LogLine, parseLine, toText } from './log-line.ts'

const followMs = 250

export const logs: Command = {
  name: 'logs',
  summary: 'What the parts wrote, from the data folder’s files, in order of time.',
  isLocal: true,
  words: ['[part …]'],
  options: {
    follow: { type: 'boolean' },
    since: { type: 'string' },
    grep: { type: 'string' },
    lines: { type: 'string' },
  },
  help: `  [part …]              parts, such as carts or postgres; all without
  --follow              go on with what is written from now on, until Ctrl-C
  --since 15m           what is no older (90s, 15m, 1h, 2d)
  --grep TEXT           lines that have this text, in whatever case
  --lines N             the last N of them (200; up to 100000)

--json gives the lines as they were written. A file that grew too large was begun anew; the end of
the one before is read too.`,
  example: 'carts orders --since 15m --grep error',
  async run(input, context) {
    const folder = join(context.dataFolder, 'logs')
    const parts = partsOf(folder, input.words)
    const wanted = toWanted({
      since: agoOf(input, 'since', new Date()),
      text: textOf(input, 'grep')?.toLowerCase(),
    })
    const write = (line: LogLine) =>
      context.line(input.options.json === true ? line.raw : toText(line))
    const limit = numberOf(input, 'lines', { min: 1, max: 100_000 }) ?? 200
    const ends = new Map(parts.map((part) => [part, sizeOf(join(folder, `${part}.log`))]))
    const found = await readAll(folder, parts, { wanted, limit })
    for (const line of found) write(line)
    if (input.options.follow === true) await follow(folder, ends, { wanted, write, context })
    return true
  },
}

type Wanted = (line: LogLine) => boolean

function toWanted({ since, text }: { since: Date | undefined; text: string | undefined }): Wanted {
  const from = since?.toISOString()
  return ({ time, raw }) =>
    (from === undefined || time >= from) && (text === undefined || raw.toLowerCase().includes(text))
}

function partsOf(folder: string, words: readonly string[]): readonly string[] {
  if (!existsSync(folder)) {
    const message = `There are no logs in ${folder}: no stack was started there. Say where: --data DIR.`
    throw new AppError('not-found', 'NO_LOGS', message)
  }
  const known = readdirSync(folder).flatMap((name) => /^(.+)\.log$/.exec(name)?.[1] ?? [])
  const unknown = words.find((word) => !known.includes(word))
  if (unknown !== undefined) {
    throw usage(`"${unknown}" has no log; these have: ${known.sort().join(', ')}.`)
  }
  return words.length > 0 ? words : known
}

/** The last lines of all parts that are wanted, by time. */
async function readAll(
  folder: string,
  parts: readonly string[],
  { wanted, limit }: { wanted: Wanted; limit: number },
): Promise<LogLine[]> {
  const lines: LogLine[] = []
  for (const part of parts) {
    const own: LogLine[] = []
    let before = ''
    for (const file of [`${part}.log.1`, `${part}.log`].map((name) => join(folder, name))) {
      if (!existsSync(file)) continue
      for await (const raw of createInterface({ input: createReadStream(file) })) {
        if (raw.trim() === '') continue
        // What goes on over several lines belongs to the time of the first.
        const line = parseLine(part, raw, before)
        before = line.time
        if (wanted(line)) own.push(line)
        if (own.length > limit * 2) own.splice(0, own.length - limit)
      }
    }
    lines.push(...own.slice(-limit))
  }
  return lines.sort((a, b) => (a.time < b.time ? -1 : a.time > b.time ? 1 : 0)).slice(-limit)
}

type Following = { wanted: Wanted; write(line: LogLine): void; context: Context }

async function follow(
  folder: string,
  ends: Map<string, number>,
  { wanted, write, context }: Following,
): Promise<void> {
  const begun = new Map<string, string>()
  while (!context.signal.aborted) {
    for (const [part, end] of ends) {
      const file = join(folder, `${part}.log`)
      const size = sizeOf(file)
      // A file that is smaller than before was begun anew.
      const text = (begun.get(part) ?? '') + readPart(file, size < end ? 0 : end, size)
      ends.set(part, size)
      const lines = text.split('\n')
      begun.set(part, lines.pop() ?? '')
      const now = new Date().toISOString()
      for (const raw of lines) {
        if (raw.trim() === '') continue
        const line = parseLine(part, raw, now)
        if (wanted(line)) write(line)
      }
    }
    await delay(followMs)
  }
}

const sizeOf = (file: string) => statSync(file, { throwIfNoEntry: false })?.size ?? 0

function readPart(file: string, from: number, to: number): string {
  if (to <= from) return ''
  const fd = openSync(file, 'r')
  try {
    const buffer = Buffer.alloc(to - from)
    return buffer.toString('utf8', 0, readSync(fd, buffer, 0, buffer.length, from))
  } finally {
    closeSync(fd)
  }
}
