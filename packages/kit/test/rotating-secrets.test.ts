import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { test } from 'node:test'
import { loadConfig } from '../src/config.ts'
import { createInternalCheck, internalAuthorization } from '../src/internal-secret.ts'
import { rotatingSecret, secretsIn } from '../src/rotating-secrets.ts'
import { silentLogger } from '../src/testing.ts'
import { createTokenVerifier, orderAudience } from '../src/tokens.ts'

const [old, next] = ['o'.repeat(32), 'n'.repeat(32)]
const both = `${next},${old}`

test('between services the first secret is shown, and each is taken', () => {
  assert.equal(internalAuthorization(both), internalAuthorization(next))
  const check = createInternalCheck(both)
  for (const each of [old, next]) check(internalAuthorization(each))
  const refused = { code: 'INTERNAL_SECRET_REQUIRED' }
  for (const header of [undefined, `Internal ${both}`, 'Internal ', internalAuthorization('x')]) {
    assert.throws(() => check(header), refused)
  }
  assert.throws(() => createInternalCheck(next)(internalAuthorization(old)), refused)
})

test("a guest's order token is good while its secret is among those that count", async () => {
  const verify = (orderTokenSecret: string) => {
    const verifier = createTokenVerifier({ logger: silentLogger(), orderTokenSecret })
    return verifier.verify(`Bearer ${orderToken(old, 60)}`)
  }
  assert.equal((await verify(both)).orderId, 'an-order')
  assert.equal((await verify(`${old},${next}`)).orderId, 'an-order')
  await assert.rejects(verify(next), { code: 'TOKEN_INVALID' })
  const { verify: verifyLate } = createTokenVerifier({
    ...{ logger: silentLogger(), orderTokenSecret: both },
  })
  await assert.rejects(verifyLate(`Bearer ${orderToken(old, -60)}`), { code: 'TOKEN_EXPIRED' })
})

test('each of several secrets is long enough, and there are few', () => {
  const schema = { secret: rotatingSecret('A_SECRET') }
  const parse = (value: string) => loadConfig(schema, { A_SECRET: value }).secret
  assert.deepEqual(secretsIn(parse(` ${next} , ${old} `)), [next, old])
  assert.deepEqual(secretsIn(parse(next)), [next])
  for (const bad of ['short', `${next},short`, `${next},`, Array(4).fill(next).join(',')]) {
    assert.throws(() => parse(bad), /A_SECRET must have at least 32 characters/)
  }
})

function orderToken(secret: string, lifeSeconds: number): string {
  const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url')
  const iat = Math.floor(Date.now() / 1_000)
  const claims = { iss: 'halles', aud: orderAudience, ord: 'an-order', iat, exp: iat + lifeSeconds }
  const signed = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode(claims)}`
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`
}
