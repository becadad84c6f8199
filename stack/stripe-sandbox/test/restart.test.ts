import assert from 'node:assert/strict'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type TestContext } from 'node:test'
import { eventually, freePort } from '@halles/kit/testing'
import { startSandbox } from '../src/app.ts'
import {
  apiKey,
  byDebit,
  checkout,
  clientOf,
  goodCard,
  paidIntent,
  startReceiver,
  startTestSandbox,
  submit,
  webhookSecret,
} from './harness.ts'

function temporaryDirectory(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'stripe-sandbox-'))
  t.after(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}

/** The sandbox as the stack starts it, killed at the end of the test if it still runs. */
async function startProcess(t: TestContext, env: { [name: string]: string }) {
  const child = fork(join(import.meta.dirname, '../src/main.ts'), {
    env: { ...env, STRIPE_API_KEY: apiKey, WEBHOOK_SECRET: webhookSecret },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  })
  t.after(() => child.kill('SIGKILL'))
  const [message] = await once(child, 'message')
  assert.deepEqual(message, { type: 'ready' })
  return child
}

test('a restart keeps objects, keys and events that were not delivered', async (t) => {
  const dataDir = temporaryDirectory(t)
  const first = await startSandbox({ apiKey, webhookSecret, dataDir })
  const before = clientOf(first)
  const session = await before.checkout.sessions.create(checkout, { idempotencyKey: 'key-1' })
  await submit(session.url, goodCard)
  await first.stop()

  const receiver = await startReceiver(t)
  const { stripe } = await startTestSandbox(t, { dataDir, webhookUrl: receiver.url })
  assert.equal((await stripe.checkout.sessions.retrieve(session.id)).payment_status, 'paid')
  const replayed = await stripe.checkout.sessions.create(checkout, { idempotencyKey: 'key-1' })
  assert.equal(replayed.id, session.id)
  await eventually(() => receiver.received.length === 4)
})

test('what was answered survives kill -9, and no file holds a card number', async (t) => {
  const dataDir = temporaryDirectory(t)
  const port = await freePort()
  const env = { DATA_DIR: dataDir, PORT: String(port) }
  const stripe = clientOf({ host: '127.0.0.1', port })
  const first = await startProcess(t, env)
  const session = await stripe.checkout.sessions.create(checkout)
  await submit(session.url, goodCard)
  const exit = once(first, 'exit')
  first.kill('SIGKILL')
  await exit
  for (const name of readdirSync(dataDir)) {
    const content = readFileSync(join(dataDir, name), 'latin1')
    assert.ok(!content.includes('4242424242424242') && !content.includes('4242 4242 4242 4242'))
  }

  const receiver = await startReceiver(t)
  const second = await startProcess(t, { ...env, WEBHOOK_URL: receiver.url })
  assert.equal((await stripe.checkout.sessions.retrieve(session.id)).payment_status, 'paid')
  await eventually(() => receiver.received.length === 4)
  const drained = once(second, 'exit')
  second.kill('SIGTERM')
  assert.deepEqual(await drained, [0, null])
})

test('a bank answers after a restart what was asked before it', async (t) => {
  const dataDir = temporaryDirectory(t)
  const first = await startSandbox({ apiKey, webhookSecret, dataDir, bankDelayMs: 60_000 })
  const intentId = await paidIntent(clientOf(first), { iban: 'DE89370400440532013000' }, byDebit)
  await first.stop()
  const later = () => Date.now() + 60_000
  const { stripe } = await startTestSandbox(t, { dataDir, clock: later })
  await eventually(
    async () => (await stripe.paymentIntents.retrieve(intentId)).status === 'succeeded',
  )
})

test('the process ends when its parent goes away', async (t) => {
  const env = { DATA_DIR: temporaryDirectory(t), PORT: String(await freePort()) }
  const child = await startProcess(t, env)
  const exit = once(child, 'exit')
  child.disconnect()
  assert.deepEqual(await exit, [0, null])
})

test('a faulty configuration is told with every variable', async () => {
  const child = fork(join(import.meta.dirname, '../src/main.ts'), {
    env: { PORT: 'eighty' },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  })
  let text = ''
  child.stderr?.on('data', (chunk: Buffer) => {
    text += chunk
  })
  const [code] = await once(child, 'close')
  assert.equal(code, 1)
  for (const name of ['PORT', 'DATA_DIR', 'STRIPE_API_KEY', 'WEBHOOK_SECRET']) {
    assert.match(text, new RegExp(name))
  }
})

test('a second sandbox on the same folder does not start', async (t) => {
  const dataDir = temporaryDirectory(t)
  await startTestSandbox(t, { dataDir })
  await assert.rejects(startSandbox({ apiKey, webhookSecret, dataDir }), /locked/)
})
