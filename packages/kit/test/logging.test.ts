import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AppError } from '../src/errors.ts'
import { createLogger } from '../src/logging.ts'
import { newTrace, runWithContext } from '../src/trace.ts'

function capture() {
  const lines: string[] = []
  const destination = { write: (line: string) => void lines.push(line) }
  const logger = createLogger({ service: 'carts', instance: 'carts-1', level: 'info', destination })
  return { lines, logger }
}

test('an entry is one line of JSON with service, instance and the trace being served', () => {
  const { lines, logger } = capture()
  const trace = newTrace()
  runWithContext({ trace }, () => logger.info({ lineCount: 2 }, 'two\nlines'))
  assert.equal(lines.length, 1)
  const entry = JSON.parse(lines[0] ?? '')
  assert.deepEqual(
    [entry.level, entry.service, entry.instance, entry.message, entry.lineCount],
    ['info', 'carts', 'carts-1', 'two\nlines', 2],
  )
  assert.deepEqual([entry.traceId, entry.spanId], [trace.traceId, trace.spanId])
  assert.equal(lines[0]?.indexOf('\n'), (lines[0]?.length ?? 0) - 1)
})

test('secrets never reach the log, whatever they are hidden in', () => {
  const { lines, logger } = capture()
  const secrets = {
    password: 'hunter2-one',
    deep: { list: [{ newPassword: 'hunter2-two', refreshToken: 'hunter2-three' }] },
    headers: { authorization: 'Bearer hunter2-four', cookie: 'hunter2-five' },
    card: { number: 'hunter2-six' },
    cvc: 'hunter2-seven',
    body: Buffer.from('hunter2-eight'),
    passwordHash: 'hunter2-nine',
    internalSecret: 'hunter2-ten',
  }
  logger.info(secrets, 'a request')
  logger.info('sent with Bearer hunter2-eleven.x.y')
  logger.info({ url: 'postgres://orders:hunter2-twelve@127.0.0.1:5432/orders' }, 'connecting')
  const cause = Object.assign(new Error('refused'), { parameters: ['hunter2-thirteen'] })
  const failure = new AppError('conflict', 'TAKEN', 'Taken.', {
    cause,
    details: { note: 'hunter2-fourteen' },
  })
  logger.error({ error: failure }, 'failed')
  logger.error({ jwt: 'eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJodW50ZXIyIn0.c2lnbmF0dXJl' }, 'odd')
  const all = lines.join('')
  assert.equal(lines.length, 5)
  assert.ok(!all.includes('hunter2'), all)
  assert.ok(!all.includes('eyJ'), all)
  assert.equal(JSON.parse(lines[3] ?? '').error.cause.message, 'refused')
})
