import { createServer, IncomingMessage, ServerResponse } from 'node:http'
import { type AddressInfo, Socket } from 'node:net'
import type { TestContext } from 'node:test'
import { answerProblem, type Exchange } from '../../src/answer.ts'
import { createCors } from '../../src/pipeline/cors.ts'
import { openExchange } from '../../src/pipeline/exchange.ts'
import type { AnswerSink, Upstream, UpstreamRequest } from '../../src/upstream.ts'

const client = { address: '203.0.113.7', bucket: '203.0.113.7', protocol: 'https' } as const
const cors = createCors({ origins: [], methodsAt: () => [] })

/** A request that nobody sent, as the steps of the pipeline see it. */
export function anExchange(
  given: { method?: string; url?: string; headers?: Record<string, string> } = {},
): Exchange {
  const request = new IncomingMessage(new Socket())
  Object.assign(request, { method: 'GET', url: '/', ...given })
  return openExchange(request, new ServerResponse(request), { readClient: () => client, cors })
}

/** A server that gives each request to one step, and answers for what the step throws. */
export async function serveStep(
  t: TestContext,
  step: (exchange: Exchange) => Promise<void> | undefined,
): Promise<{ url: string; port: number }> {
  const server = createServer((request, response) => {
    const exchange = openExchange(request, response, { readClient: () => client, cors })
    Promise.resolve()
      .then(() => step(exchange))
      .catch((error: unknown) => answerProblem(exchange, error))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}`, port }
}

/** The way to a service that keeps what it was asked, and answers as a test says. */
export function anUpstream(
  send: (request: UpstreamRequest, sink: AnswerSink) => Promise<void> = async (_request, sink) =>
    sink.onHead(200, {}),
): { upstream: Upstream; asked: UpstreamRequest[] } {
  const asked: UpstreamRequest[] = []
  const upstream: Pick<Upstream, 'service' | 'send'> = {
    service: 'carts',
    send(request, sink) {
      asked.push(request)
      return send(request, sink)
    },
  }
  return { upstream: upstream as Upstream, asked }
}
