import { createHash } from 'node:crypto'
import type { Operations } from '@halles/contracts/gen/http/gateway'
import type { HttpServer } from '@halles/kit/http-server'
import { type OpenapiDocument, renderDocs } from './docs.ts'

const page = (title: string, body: string) => `<!doctype html><html lang="en"><head>
<meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>${title} · Halles</title><style>:root{color-scheme:light dark}body{font:18px/1.6 system-ui,
sans-serif;max-width:36rem;margin:12vh auto;padding:0 1.5rem}a{color:#0b6b43}</style></head>
<body><h1>${title}</h1>${body}</body></html>`

const welcome = page(
  'Halles is open',
  '<p>The API is at <code>/api/v1</code>. Read <a href="/docs">its documentation</a>, or take <a href="/openapi.json">the OpenAPI document</a>; the messages are in <a href="/asyncapi.json">the AsyncAPI document</a>.</p>',
)
const paid = page(
  'Thank you',
  '<p>Your payment is on its way to the order; ask for the order to see it paid.</p>',
)
const notPaid = page('Not paid', '<p>Nothing was charged. The order waits for its payment.</p>')

/**
 * The gateway's own pages: the published documents, their readable face, and, where no web server has
 * better ones, a welcome and where a payment returns to.
 */
export function addPages(
  app: HttpServer<Operations>['fastify'],
  { openapi, asyncapi }: { openapi: OpenapiDocument; asyncapi: object },
): void {
  const docs = renderDocs(openapi)
  const html = 'text/html; charset=utf-8'
  const json = 'application/json; charset=utf-8'
  const pages: Record<string, { type: string; body: string }> = {
    '/': { type: html, body: welcome },
    '/docs': { type: html, body: docs },
    '/openapi.json': { type: json, body: JSON.stringify(openapi) },
    '/asyncapi.json': { type: json, body: JSON.stringify(asyncapi) },
    '/checkout/return': { type: html, body: paid },
    '/checkout/cancelled': { type: html, body: notPaid },
  }
  for (const [path, { type, body }] of Object.entries(pages)) {
    const etag = `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`
    app.get(path, async (request, reply) => {
      reply.headers({
        etag,
        'cache-control': 'public, max-age=0, must-revalidate',
        'content-security-policy':
          "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
        'x-content-type-options': 'nosniff',
        'referrer-policy': 'no-referrer',
      })
      if (request.headers['if-none-match'] === etag) return reply.code(304).send()
      return reply.type(type).send(body)
    })
  }
}
