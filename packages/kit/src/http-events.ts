import type { ServerResponse } from 'node:http'
import type { ServerEvent } from './http-reply.ts'

// Below the idle limits of common proxies (30 to 60 s), so that a quiet stream is not cut.
const heartbeatMs = 15_000

/**
 * Writes events as `text/event-stream` until they end, the client goes away or `signal` is
 * aborted. The next event is asked for only when the client has taken the previous ones, so a slow
 * client costs one buffered event, not memory.
 */
export async function writeEvents(
  raw: ServerResponse,
  events: AsyncIterable<ServerEvent>,
  signal: AbortSignal,
): Promise<void> {
  raw.writeHead(200, {
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-store',
    // Tells buffering proxies to pass each event on at once.
    'x-accel-buffering': 'no',
  })
  raw.write(': connected\n\n')
  const heartbeat = setInterval(() => {
    // Without room the client is behind on real events, and those prove life by themselves.
    if (!raw.writableNeedDrain) raw.write(': heartbeat\n\n')
  }, heartbeatMs)
  const ended = Promise.withResolvers<undefined>()
  const end = () => ended.resolve(undefined)
  signal.addEventListener('abort', end, { once: true })
  raw.once('close', end)
  const iterator = events[Symbol.asyncIterator]()
  try {
    while (!signal.aborted && !raw.destroyed) {
      const next = await Promise.race([iterator.next(), ended.promise])
      if (next === undefined || next.done) break
      if (!raw.write(formatEvent(next.value))) await Promise.race([drained(raw), ended.promise])
    }
  } finally {
    clearInterval(heartbeat)
    signal.removeEventListener('abort', end)
    raw.end()
    closeIterator(iterator)
  }
}

function drained(raw: ServerResponse): Promise<undefined> {
  return new Promise((resolve) => {
    raw.once('drain', () => resolve(undefined))
  })
}

/** Not awaited: a generator that waits for its next event only ends once that wait does. */
function closeIterator(iterator: AsyncIterator<ServerEvent>): void {
  iterator.return?.().catch((error: unknown) => {
    process.emitWarning(`An event stream did not close: ${String(error)}`)
  })
}

function formatEvent({ event, data, id }: ServerEvent): string {
  // JSON has no raw line breaks, so one data line is enough; names must not smuggle any in.
  const head = id === undefined ? '' : `id: ${oneLine(id)}\n`
  return `${head}event: ${oneLine(event)}\ndata: ${JSON.stringify(data)}\n\n`
}

function oneLine(text: string): string {
  return text.replaceAll(/[\r\n\0]/g, ' ')
}
