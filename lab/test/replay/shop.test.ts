import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { eventually, freePort } from '@halles/kit/testing'
import { createShop } from '../../../tests/e2e/shop.ts'
import type { Report } from '../../replay/report.ts'
import { type Row, toFile } from './rows.ts'

const root = resolve(import.meta.dirname, '../../..')
// Two dozen requests; on a machine that is busy with other tests.
const replayLimitMs = 120_000
const answerLimitMs = 30_000

describe('A replay in a running shop', () => {
  const shop = createShop({ HALLES_GATEWAY_RATE_LIMIT_FACTOR: '0' })
  const { stack } = shop
  const folder = mkdtempSync(join(tmpdir(), 'halles-replay-'))
  before(() => stack.start())
  after(async () => {
    await stack.stop()
    rmSync(folder, { recursive: true, force: true })
  })

  async function replay(rows: readonly Row[], url: string) {
    const file = join(folder, 'invoices.csv')
    const json = join(folder, 'report.json')
    writeFileSync(file, toFile(rows))
    const options = ['--on', url, '--data', stack.dataFolder, '--json', json]
    const child = spawn(process.execPath, ['lab/replay/main.ts', file, ...options], {
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let output = ''
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => {
        output += chunk.toString()
      })
    const [code] = await once(child, 'close', { signal: AbortSignal.timeout(replayLimitMs) })
    assert.ok(code === 0 || code === 1, output)
    const report = JSON.parse(readFileSync(json, 'utf8')) as Report
    return { code, output, report }
  }

  test('it balances to the penny, with price changes, split invoices and refunds', async () => {
    const { code, output, report } = await replay(invoices('10'), stack.url)
    assert.equal(code, 0, output)
    assert.match(output, /The books balance to the penny\./)
    const { counts, played, balance, money } = report
    assert.deepEqual(balance.shop, {
      paid: 255 * 6 + 339 * 4 + 506 + 425 * 1_200 + 510,
      refunded: 594,
    })
    assert.deepEqual(balance.provider, balance.shop)
    assert.deepEqual(balance.file, balance.shop)
    assert.equal(money.unplayedMinor, 1_800 - 255)
    assert.deepEqual([counts.orders, played.paid, played.refunds], [4, 4, 2])
    assert.equal(played.priceChanges, 3)
    assert.deepEqual(played.failures, [])
  })

  test('it goes on when orders is killed on the way, and still balances', async () => {
    const token = await shop.admin()
    const countOrders = async () => {
      const page = await shop.api.ask('listOrders', { token, query: { all: true, limit: 100 } })
      return page.items.length
    }
    const earlier = await countOrders()
    const [{ code, output, report }] = await Promise.all([
      replay(queueOfGuests('30123', 30), stack.url),
      eventually(async () => (await countOrders()) > earlier, { limitMs: replayLimitMs }).then(() =>
        stack.kill('orders'),
      ),
    ])
    assert.equal(code, 0, output)
    assert.deepEqual([report.played.paid, report.played.priceChanges], [30, 29])
    assert.ok(report.played.retries > 0, output)
  })

  test('a penny that goes astray on the way is named, and it exits with 1', async () => {
    const { server, url } = await startThief(stack.url)
    try {
      const { code, output, report } = await replay(invoices('20'), url)
      assert.equal(code, 1, output)
      assert.match(output, /THE BOOKS DO NOT BALANCE/)
      assert.deepEqual(report.balance.differences, [
        '536365-1: 338 pence were returned, by the file 339.',
        '536367-1: 254 pence were returned, by the file 255.',
        'The shop returned 592 pence, the file has 594.',
        'The provider returned 592 pence, the file has 594.',
      ])
    } finally {
      server.closeAllConnections()
      server.close()
    }
  })
})

/** So many guests who each need another price than the one before: they buy one after another. */
function queueOfGuests(code: string, guests: number): Row[] {
  return Array.from({ length: guests }, (_none, index) => ({
    invoice: String(540_000 + index),
    code,
    quantity: 1,
    price: index % 2 === 0 ? '1.25' : '1.45',
  }))
}

/** Two goods that no other run has. */
function invoices(prefix: string): Row[] {
  const heart = { code: `${prefix}123A`, price: '2.55' }
  const lantern = { code: `${prefix}053`, price: '3.39' }
  const alice = { customer: '17850' }
  return [
    { invoice: '536365', quantity: 6, ...heart, ...alice },
    { invoice: '536365', quantity: 3, ...lantern, ...alice },
    { invoice: '536365', quantity: 1, ...lantern, ...alice },
    { invoice: '536365', code: 'POST', quantity: 1, price: '18.00', ...alice },
    { invoice: '536366', quantity: 1, ...heart, price: '5.06', country: 'EIRE' },
    { invoice: '536366', quantity: 1_200, ...lantern, price: '4.25', country: 'EIRE' },
    { invoice: '536367', quantity: 2, ...heart, ...alice },
    { invoice: '536367', quantity: 9, ...lantern, price: '0.00', ...alice },
    { invoice: 'C536368', quantity: -1, ...heart, ...alice },
    { invoice: 'C536368', quantity: -1, ...lantern, ...alice },
    { invoice: 'C536369', quantity: -1, ...heart },
  ]
}

/** Stands between the replay and the shop and keeps a penny of every refund. */
async function startThief(shop: string): Promise<{ server: Server; url: string }> {
  const server = createServer(async (incoming, outgoing) => {
    const chunks: Buffer[] = []
    for await (const chunk of incoming) chunks.push(chunk as Buffer)
    const { method = 'GET', url = '/', headers } = incoming
    const sent = Object.entries(headers).filter(([name]) =>
      ['authorization', 'content-type', 'idempotency-key'].includes(name),
    )
    const answer = await fetch(`${shop}${url}`, {
      method,
      headers: sent.map(([name, value]): [string, string] => [name, String(value)]),
      ...(method === 'GET' ? {} : { body: steal(url, Buffer.concat(chunks)) }),
      signal: AbortSignal.timeout(answerLimitMs),
    })
    const type = answer.headers.get('content-type') ?? 'application/json'
    outgoing.writeHead(answer.status, { 'content-type': type })
    outgoing.end(Buffer.from(await answer.arrayBuffer()))
  })
  const port = await freePort()
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  return { server, url: `http://127.0.0.1:${port}` }
}

function steal(url: string, body: Buffer<ArrayBuffer>): string | Buffer<ArrayBuffer> {
  if (!url.endsWith('/refunds')) return body
  const refund = JSON.parse(body.toString())
  refund.amount.amountMinor -= 1
  return JSON.stringify(refund)
}
