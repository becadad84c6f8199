import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { after } from 'node:test'

export type Seen = {
  method: string
  url: string
  headers: IncomingMessage['headers']
  body: string
}
export type Reply = (response: ServerResponse, seen: Seen) => void

export type FakeServer = {
  readonly url: string
  /** What was asked, in order. */
  readonly seen: Seen[]
  /** What is answered from now on, one after another; the last one again and again. */
  answer(...replies: Reply[]): void
}

export const json =
  (status: number, body: unknown, headers: Record<string, string> = {}): Reply =>
  (response) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers })
    response.end(JSON.stringify(body))
  }

export const problem = (
  status: number,
  code: string,
  { headers = {}, ...more }: Record<string, unknown> & { headers?: Record<string, string> } = {},
): Reply =>
  json(
    status,
    { type: 'about:blank', title: code, status, code, detail: `It is ${code}.`, ...more },
    { 'content-type': 'application/problem+json; charset=utf-8', ...headers },
  )

export const breakOff: Reply = (response) => response.destroy()

export const empty =
  (status: number, headers: Record<string, string> = {}): Reply =>
  (response) => {
    response.writeHead(status, headers)
    response.end()
  }

/** A server for one file of tests; it is closed with the file. */
export async function startServer(): Promise<FakeServer> {
  let replies: Reply[] = []
  const seen: Seen[] = []
  const server = createServer(async (request, response) => {
    const { method = '', url = '', headers } = request
    const asked = { method, url, headers, body: await text(request) }
    seen.push(asked)
    const reply = replies.length > 1 ? replies.shift() : replies[0]
    if (reply) reply(response, asked)
    else response.destroy(new Error('There is no answer to give.'))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  after(() => {
    server.closeAllConnections()
    server.close()
  })
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    answer(...next) {
      replies = next
      seen.length = 0
    },
  }
}
