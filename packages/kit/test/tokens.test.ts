import assert from 'node:assert/strict'
import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { test } from 'node:test'
import { createSigner } from 'fast-jwt'
import { eventually, silentLogger } from '../src/testing.ts'
import {
  createTokenVerifier,
  type KeySet,
  requireCaller,
  type TokenVerifierOptions,
} from '../src/tokens.ts'

type Key = { kid: string; publicKey: KeyObject; privateKey: KeyObject }

function aKey(kid: string): Key {
  return { kid, ...generateKeyPairSync('ed25519') }
}

const keyOne = aKey('one')
const auth = { keys: [keyOne], isUp: true, fetches: 0 }
async function fetchKeySet(): Promise<KeySet> {
  auth.fetches += 1
  if (!auth.isUp) throw new Error('auth is down')
  return {
    keys: auth.keys.map(({ kid, publicKey }) => ({ ...publicKey.export({ format: 'jwk' }), kid })),
  }
}

function sign(
  key: Key,
  claims: Record<string, unknown> = {},
  header: Record<string, unknown> = {},
) {
  const signer = createSigner({
    algorithm: 'EdDSA',
    key: key.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    header: { alg: 'EdDSA', kid: key.kid, ...header },
  })
  const now = Math.floor(Date.now() / 1_000)
  const base = { sub: 'anna', sid: 's-1', roles: ['staff'], iss: 'halles', aud: 'halles' }
  return `Bearer ${signer({ ...base, iat: now, exp: now + 600, ...claims })}`
}

function aVerifier(more: Partial<TokenVerifierOptions> = {}) {
  return createTokenVerifier({ fetchKeySet, logger: silentLogger(), minRefreshMs: 0, ...more })
}

test('a good token tells who calls', async () => {
  const verifier = aVerifier()
  const anna = { subjectId: 'anna', sessionId: 's-1', roles: ['staff'] }
  assert.deepEqual(await verifier.verify(sign(keyOne)), anna)
})

test('an order token tells its order to the service that signs such tokens, and to no other', async () => {
  const orderTokenSecret = 'the secret that orders alone knows'
  const signer = createSigner({ algorithm: 'HS256', key: orderTokenSecret, expiresIn: 60_000 })
  const signOrder = (claims: object) => `Bearer ${signer({ iss: 'halles', ...claims })}`
  const token = signOrder({ aud: 'halles-order', ord: 'o-1' })
  const orders = aVerifier({ orderTokenSecret })
  assert.deepEqual(await orders.verify(token), {
    subjectId: 'o-1',
    sessionId: '',
    roles: [],
    orderId: 'o-1',
  })
  const refusal = { kind: 'unauthenticated', code: 'TOKEN_INVALID' }
  await assert.rejects(aVerifier().verify(token), refusal)
  await assert.rejects(aVerifier({ orderTokenSecret: 'a guess' }).verify(token), refusal)
  const root = signOrder({ aud: 'halles', sub: 'root', sid: 's', roles: ['admin'] })
  await assert.rejects(orders.verify(root), refusal)
  await assert.rejects(orders.verify(sign(keyOne, { aud: 'halles-order', ord: 'o-1' })), refusal)
})

test('whatever is wrong with a token, it is refused as unauthenticated', async () => {
  const verifier = aVerifier()
  const past = Math.floor(Date.now() / 1_000) - 10
  const good = sign(keyOne)
  const [head = '', body = '', signature = ''] = good.split('.')
  const forged = Buffer.from(JSON.stringify({ sub: 'root', roles: ['admin'] })).toString(
    'base64url',
  )
  const none = Buffer.from('{"alg":"none","kid":"one"}').toString('base64url')
  const cases: [string, string | undefined, string][] = [
    ['missing', undefined, 'AUTHENTICATION_REQUIRED'],
    ['of another scheme', 'Basic YTpi', 'TOKEN_INVALID'],
    ['no token', 'Bearer abc', 'TOKEN_INVALID'],
    ['not JSON', 'Bearer a.b.c', 'TOKEN_INVALID'],
    ['null header', `Bearer ${Buffer.from('null').toString('base64url')}.b.c`, 'TOKEN_INVALID'],
    ['forged', `${head}.${forged}.${signature}`, 'TOKEN_INVALID'],
    ['unsigned', `Bearer ${none}.${body}.${signature}`, 'TOKEN_INVALID'],
    ['signed by a stranger', sign(aKey('one')), 'TOKEN_INVALID'],
    ['of an unknown key', sign(aKey('other')), 'TOKEN_INVALID'],
    ['for others', sign(keyOne, { aud: 'elsewhere' }), 'TOKEN_INVALID'],
    ['by others', sign(keyOne, { iss: 'elsewhere' }), 'TOKEN_INVALID'],
    ['without subject', sign(keyOne, { sub: undefined }), 'TOKEN_INVALID'],
    ['without expiry', sign(keyOne, { exp: undefined }), 'TOKEN_INVALID'],
    ['expired', sign(keyOne, { exp: past }), 'TOKEN_EXPIRED'],
    ['huge', `${good}${'A'.repeat(5_000)}`, 'TOKEN_INVALID'],
  ]
  for (const [what, header, code] of cases) {
    await assert.rejects(verifier.verify(header), { kind: 'unauthenticated', code }, what)
  }
})

test('a token that was accepted is known again at once, until it expires, is revoked or its key goes', async () => {
  const revoked = new Set<string>()
  let nowMs = 0
  const verifier = aVerifier({
    isRevoked: ({ sessionId }) => revoked.has(sessionId),
    keepMs: 1_000,
    clock: () => nowMs,
  })
  const token = sign(keyOne)
  assert.equal(verifier.recall(token), undefined)
  const caller = await verifier.verify(token)
  assert.equal(verifier.recall(token), caller)
  const [head, body, signature = ''] = token.split('.')
  const other = signature.startsWith('A') ? 'B' : 'A'
  assert.equal(verifier.recall(`${head}.${body}.${other}${signature.slice(1)}`), undefined)

  revoked.add('s-1')
  assert.throws(() => verifier.recall(token), { code: 'SESSION_REVOKED' })
  revoked.clear()
  assert.equal(verifier.recall(token), caller)

  const brief = sign(keyOne, { exp: Math.ceil(Date.now() / 1_000) + 1 })
  await verifier.verify(brief)
  await eventually(() => verifier.recall(brief) === undefined)
  await assert.rejects(verifier.verify(brief), { code: 'TOKEN_EXPIRED' })

  auth.keys = [aKey('two')]
  try {
    nowMs = 2_000
    await verifier.start()
    assert.equal(verifier.recall(token), undefined)
    await assert.rejects(verifier.verify(token), { code: 'TOKEN_INVALID' })
  } finally {
    auth.keys = [keyOne]
    await verifier.stop()
  }
})

test('a token that was accepted is refused once its session is revoked', async () => {
  const revoked = new Set<string>()
  const verifier = aVerifier({ isRevoked: ({ sessionId }) => revoked.has(sessionId) })
  const token = sign(keyOne)
  assert.equal((await verifier.verify(token)).subjectId, 'anna')
  revoked.add('s-1')
  await assert.rejects(verifier.verify(token), { code: 'SESSION_REVOKED' })
})

test('a new key is found when it is first seen, and a retired one is forgotten after a while', async () => {
  let nowMs = 0
  const verifier = aVerifier({ keepMs: 300_000, clock: () => nowMs })
  const keyTwo = aKey('two')
  await verifier.verify(sign(keyOne))
  auth.keys = [keyTwo]
  try {
    assert.equal((await verifier.verify(sign(keyTwo))).subjectId, 'anna')
    // The answer may be that of an issuer that is behind.
    assert.equal((await verifier.verify(sign(keyOne))).subjectId, 'anna')
    nowMs = 300_000
    await assert.rejects(verifier.verify(sign(aKey('new'))), { code: 'TOKEN_INVALID' })
    await assert.rejects(verifier.verify(sign(keyOne)), { code: 'TOKEN_INVALID' })
    assert.equal((await verifier.verify(sign(keyTwo))).subjectId, 'anna')
  } finally {
    auth.keys = [keyOne]
  }
})

test('unknown keys do not make a fetch each', async () => {
  const verifier = aVerifier({ minRefreshMs: 60_000 })
  await verifier.verify(sign(keyOne))
  const before = auth.fetches
  for (let count = 0; count < 5; count += 1) {
    await assert.rejects(verifier.verify(sign(aKey(`x${count}`))), { code: 'TOKEN_INVALID' })
  }
  assert.equal(auth.fetches, before)
})

test('callers at the same moment share one fetch', async () => {
  const verifier = aVerifier({ minRefreshMs: 60_000 })
  const before = auth.fetches
  await Promise.all(Array.from({ length: 10 }, () => verifier.verify(sign(keyOne))))
  assert.equal(auth.fetches, before + 1)
})

test('signed-in people go on while auth is down; without any key the answer is 503, not 401', async () => {
  const verifier = aVerifier()
  await verifier.start()
  auth.isUp = false
  try {
    await assert.rejects(verifier.verify(sign(aKey('new'))), { code: 'TOKEN_INVALID' })
    assert.equal((await verifier.verify(sign(keyOne))).subjectId, 'anna')
    const fresh = aVerifier()
    await fresh.start()
    await assert.rejects(fresh.verify(sign(keyOne)), {
      kind: 'unavailable',
      code: 'KEYS_UNAVAILABLE',
    })
    await fresh.stop()
  } finally {
    auth.isUp = true
    await verifier.stop()
  }
})

test('who starts before auth goes on asking until the keys are known, though nobody comes', async (t) => {
  auth.isUp = false
  const verifier = aVerifier()
  t.after(() => verifier.stop())
  await verifier.start()
  auth.isUp = true
  const { fetches } = auth
  await eventually(() => auth.fetches > fetches)
  auth.isUp = false
  t.after(() => {
    auth.isUp = true
  })
  assert.equal((await verifier.verify(sign(keyOne))).subjectId, 'anna')
})

test('a handler that needs a caller refuses nobody', () => {
  assert.throws(() => requireCaller(undefined), { code: 'AUTHENTICATION_REQUIRED' })
})
