import { once } from 'node:events'
import type { Duplex, Writable } from 'node:stream'
import type pg from 'pg'

/** What a query of `pg` is handed to speak with the server. */
type Wire = {
  stream: Duplex
  query(text: string): void
  sendCopyFromChunk(chunk: Buffer): void
  endCopyFrom(): void
  sendCopyFail(reason: string): void
}

type Copying = {
  begin(wire: Wire): void
  take?(chunk: Buffer, wire: Wire): void
  give?(wire: Wire): Promise<void>
}

/** Runs one COPY (protocol 3.0, "COPY Operations"); resolves with its count of rows. */
function runCopy(client: pg.Client, { begin, take, give }: Copying): Promise<number> {
  return new Promise((resolve, reject) => {
    let rows = 0
    client.query({
      submit: begin as unknown as pg.Submittable['submit'],
      // The methods that `pg` calls on the query that is under way.
      handleCopyData: ({ chunk }: { chunk: Buffer }, wire: Wire) => take?.(chunk, wire),
      handleCopyInResponse(wire: Wire) {
        give?.(wire).then(
          () => wire.endCopyFrom(),
          // What broke is told after the server has ended the command.
          (error: Error) => {
            wire.sendCopyFail('The source ended early.')
            reject(error)
          },
        )
      },
      handleCommandComplete({ text }: { text: string }) {
        rows = Number(/^COPY (\d+)$/.exec(text)?.[1] ?? Number.NaN)
      },
      handleReadyForQuery: () => resolve(rows),
      handleError: reject,
    } as pg.Submittable)
  })
}

/** Writes what the query selects to the sink as COPY's text format; the number of rows. */
export function copyOut(client: pg.Client, select: string, sink: Writable): Promise<number> {
  let isPaused = false
  return runCopy(client, {
    begin(wire) {
      // A full disk: nobody takes the rest, so the connection is of no more use.
      sink.once('error', () => wire.stream.destroy())
      wire.query(`copy (${select}) to stdout`)
    },
    take(chunk, { stream }) {
      // The parser uses its buffer again.
      if (sink.write(Buffer.from(chunk)) || isPaused) return
      isPaused = true
      stream.pause()
      sink.once('drain', () => {
        isPaused = false
        stream.resume()
      })
    },
  })
}

/** Reads rows in COPY's text format into `target` (`"table" ("column", …)`); the number of rows. */
export function copyIn(
  client: pg.Client,
  target: string,
  source: AsyncIterable<Buffer>,
): Promise<number> {
  return runCopy(client, {
    begin: (wire) => wire.query(`copy ${target} from stdin`),
    async give(wire) {
      for await (const chunk of source) {
        wire.sendCopyFromChunk(chunk)
        if (wire.stream.destroyed) return
        if (!wire.stream.writableNeedDrain) continue
        const waiting = new AbortController()
        const { signal } = waiting
        await Promise.race([
          once(wire.stream, 'drain', { signal }),
          once(wire.stream, 'close', { signal }),
        ]).finally(() => waiting.abort())
      }
    },
  })
}
