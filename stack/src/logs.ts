import {
  closeSync,
  copyFileSync,
  fstatSync,
  mkdirSync,
  openSync,
  readSync,
  truncateSync,
} from 'node:fs'
import { join } from 'node:path'

export type Logs = {
  /** A descriptor to hand to a child: it appends to the part's file without passing through us. */
  open(part: string): number
  path(part: string): string
  /** The last lines of a part's log. */
  tail(part: string, lines: number): string[]
  close(): void
}

export type LogsOptions = {
  folder: string
  /** A larger file is copied to `<part>.log.1` and emptied. */
  maxBytes: number
  checkMs: number
  onError(part: string, message: string, count: number): void
}

// Enough to find a failure in, little enough to cost nothing while a part writes a lot.
const scanBytes = 64 * 1024

type OpenLog = { fd: number; seen: number }

/** Log files that children append to by themselves, with a bound on size; errors are reported. */
export function createLogs(options: LogsOptions): Logs {
  const { folder, maxBytes, onError } = options
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const files = new Map<string, OpenLog>()
  const pathOf = (part: string) => join(folder, `${part}.log`)

  function check(): void {
    for (const [part, file] of files) {
      const { size } = fstatSync(file.fd)
      if (size > file.seen)
        report(part, readEnd(file.fd, Math.max(file.seen, size - scanBytes), size))
      file.seen = size
      if (size > maxBytes) {
        copyFileSync(pathOf(part), `${pathOf(part)}.1`)
        // Children append, so their next line lands at the new end.
        truncateSync(pathOf(part))
        file.seen = 0
      }
    }
  }

  function report(part: string, text: string): void {
    const errors = text.split('\n').flatMap(errorMessage)
    if (errors[0] !== undefined) onError(part, errors[0], errors.length)
  }

  const timer = setInterval(check, options.checkMs)
  timer.unref()

  return {
    path: pathOf,
    open(part) {
      const known = files.get(part)
      if (known) return known.fd
      const fd = openSync(pathOf(part), 'a+', 0o600)
      files.set(part, { fd, seen: fstatSync(fd).size })
      return fd
    },
    tail(part, lines) {
      const file = files.get(part)
      if (!file) return []
      const { size } = fstatSync(file.fd)
      const text = readEnd(file.fd, Math.max(0, size - scanBytes), size)
      return text
        .split('\n')
        .filter((line) => line.trim() !== '')
        .slice(-lines)
    },
    close() {
      clearInterval(timer)
      check()
      for (const { fd } of files.values()) closeSync(fd)
      files.clear()
    },
  }
}

function readEnd(fd: number, from: number, to: number): string {
  const buffer = Buffer.alloc(to - from)
  const read = readSync(fd, buffer, 0, buffer.length, from)
  return buffer.toString('utf8', 0, read)
}

/** The message of a line that says that something failed; one element or none. */
function errorMessage(line: string): string[] {
  if (/\] (FATAL|PANIC): {2}/.test(line)) {
    // Ordinary while the server starts or stops; clients retry.
    if (/starting up|shutting down|terminating connection/.test(line)) return []
    return [line.replace(/^.*?\] /, '')]
  }
  if (!/"level":"(error|fatal)"/.test(line)) return []
  const message = /"message":"((?:[^"\\]|\\.)*)"/.exec(line)?.[1]
  return [message ?? line.slice(0, 200)]
}
