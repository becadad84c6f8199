import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AppError } from '@halles/kit/errors'
import { answerClosedPage } from '../../src/pipeline/closed-page.ts'
import { answerFromWeb, checkPage } from '../../src/pipeline/page.ts'
import { anExchange, anUpstream, serveStep } from './exchange.ts'

const never = new AbortController().signal

test('pages are read and forms are sent; the path must be plain', () => {
  for (const method of ['GET', 'HEAD', 'POST']) checkPage(anExchange({ method, url: '/cart' }))
  assert.throws(() => checkPage(anExchange({ method: 'PUT', url: '/cart' })), {
    code: 'METHOD_NOT_ALLOWED',
    details: { allow: ['GET', 'HEAD', 'POST'] },
  })
  assert.throws(() => checkPage(anExchange({ url: '/a%2fb' })), { code: 'INVALID_PATH' })
})

test('the web server gets what a browser tells of the person, and who asks from us', async (t) => {
  const { upstream, asked } = anUpstream()
  const { url, port } = await serveStep(t, (exchange) => answerFromWeb(upstream, exchange, never))
  await fetch(`${url}/cart?x=1`, {
    headers: { cookie: 'a=1', 'if-none-match': '"x"', 'x-forwarded-for': '1.1.1.1', te: 'gzip' },
  })
  const [request] = asked
  assert.equal(request?.target, '/cart?x=1')
  assert.equal(request?.headers.cookie, 'a=1')
  assert.equal(request?.headers['if-none-match'], '"x"')
  assert.equal(request?.headers['x-forwarded-for'], '203.0.113.7')
  assert.equal(request?.headers['x-forwarded-proto'], 'https')
  assert.equal(request?.headers['x-forwarded-host'], `127.0.0.1:${port}`)
  assert.equal(request?.headers.te, undefined)
})

test('a form is never sent twice, a page may be', async (t) => {
  const { upstream, asked } = anUpstream()
  const { url } = await serveStep(t, (exchange) => answerFromWeb(upstream, exchange, never))
  await fetch(url)
  await fetch(url, { method: 'POST', body: 'a=1' })
  assert.deepEqual(
    asked.map(({ isRepeatable }) => isRepeatable),
    [true, false],
  )
})

test('each cookie of a page is passed on by itself, and nothing of between the servers', async (t) => {
  const { upstream } = anUpstream(async (_request, sink) =>
    sink.onHead(302, {
      'set-cookie': ['a=1; Expires=Thu, 01 Jan 2026 00:00:00 GMT', 'b=2'],
      location: '/cart',
      'cache-control': 'private, max-age=60',
      'keep-alive': 'timeout=5',
      'x-powered-by': 'inside',
    }),
  )
  const { url } = await serveStep(t, (exchange) => answerFromWeb(upstream, exchange, never))
  const { status, headers } = await fetch(url, { redirect: 'manual' })
  assert.equal(status, 302)
  assert.equal(headers.getSetCookie().length, 2)
  assert.equal(headers.get('location'), '/cart')
  assert.equal(headers.get('cache-control'), 'private, max-age=60')
  assert.equal(headers.get('x-powered-by'), null)
})

const away = new AppError('unavailable', 'UPSTREAM_UNAVAILABLE', 'web is away.', {
  retryAfterSeconds: 2,
})

for (const [what, accept, isPage, error, isShown] of [
  ['a browser that waits for a page', 'text/html,*/*;q=0.8', true, away, true],
  ['a program', '*/*', true, away, false],
  ['a browser at the API', 'text/html', false, away, false],
  ['a browser that did wrong', 'text/html', true, new AppError('invalid', 'X', ''), false],
  ['a browser that met a bug', 'text/html', true, new Error('bug'), false],
] as const) {
  test(`${what} is told ${isShown ? 'by a page' : 'by a problem document'}`, async (t) => {
    const { url } = await serveStep(t, (exchange) => {
      exchange.isPage = isPage
      if (!answerClosedPage(exchange, error)) throw error
      return undefined
    })
    const answer = await fetch(url, { headers: { accept } })
    const type = isShown ? 'text/html' : 'application/problem+json'
    assert.equal(answer.headers.get('content-type'), `${type}; charset=utf-8`)
    assert.equal(answer.headers.get('retry-after'), error === away ? '2' : null)
    assert.equal(answer.headers.get('cache-control'), 'no-store')
  })
}
