import assert from 'node:assert/strict'
import { generateKeyPairSync, sign } from 'node:crypto'
import { test } from 'node:test'
import { type PublicRoute, publicRoutes } from '@halles/contracts/gen/routing'
import { createPolicy } from '@halles/kit/policy'
import { silentLogger } from '@halles/kit/testing'
import { createTokenVerifier, type KeySet } from '@halles/kit/tokens'
import { checkAccess } from '../src/access.ts'

const logger = silentLogger()

function aKey(kid: string) {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  return { kid, jwk: { ...publicKey.export({ format: 'jwk' }), kid }, privateKey }
}
type Key = ReturnType<typeof aKey>

const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url')

/** A token of its own each time, so that none is known from before. */
function bearer({ kid, privateKey }: Key, roles: readonly string[], expiresInSeconds = 600) {
  const iat = Math.floor(Date.now() / 1_000)
  const sid = Math.random().toString(36)
  const claims = { iss: 'halles', aud: 'halles', sub: 'anna', sid, roles, iat }
  const head = encode({ alg: 'EdDSA', typ: 'JWT', kid })
  const text = `${head}.${encode({ ...claims, exp: iat + expiresInSeconds })}`
  return `Bearer ${text}.${sign(null, Buffer.from(text), privateKey).toString('base64url')}`
}

function routeOf(operation: string): PublicRoute {
  const route = publicRoutes.find((each) => each.operation === operation)
  if (!route) throw new Error(`The contract has no ${operation}.`)
  return route
}
const ownData = routeOf('getMe')
const staffDeed = routeOf('setPrice')

function aGate(keys: Key[]) {
  const time = { nowMs: 0 }
  const state = { published: keys, fetches: 0, isRbacUp: true }
  const tokens = createTokenVerifier({
    logger,
    minRefreshMs: 3_000,
    clock: () => time.nowMs,
    fetchKeySet: async (): Promise<KeySet> => {
      state.fetches += 1
      return { keys: state.published.map(({ jwk }) => jwk) }
    },
  })
  const policy = createPolicy({
    logger,
    firstWaitMs: 0,
    clock: () => time.nowMs,
    fetchPolicy: async () => {
      if (!state.isRbacUp) throw new Error('rbac is down')
      return { roles: [{ role: 'staff', permissions: ['products:write'], version: 1 }] }
    },
  })
  const check = async (route: PublicRoute, authorization?: string) =>
    checkAccess({ tokens, policy }, route, authorization)
  return { time, state, tokens, policy, check }
}

test('while the keys are replaced under traffic no request is refused', async (t) => {
  const [oldKey, newKey] = [aKey('old'), aKey('new')]
  const { time, state, tokens, check } = aGate([oldKey])
  await tokens.start()
  t.after(() => tokens.stop())
  time.nowMs = 10_000
  // As auth does it: the old key stays published for as long as its tokens are good.
  state.published = [newKey, oldKey]
  const before = state.fetches
  const requests = Array.from({ length: 200 }, (_, n) =>
    check(ownData, bearer(n % 2 === 0 ? oldKey : newKey, [])),
  )
  await Promise.all(requests)
  assert.equal(state.fetches, before + 1, 'all who bring the new key wait for one fetch')
})

test('tokens of the old key are good until they expire', async () => {
  const [oldKey, newKey] = [aKey('old'), aKey('new')]
  const { time, state, check } = aGate([oldKey])
  const [lasting, expired] = [bearer(oldKey, []), bearer(oldKey, [], -1)]
  await check(ownData, lasting)
  state.published = [newKey, oldKey]
  time.nowMs = 10_000
  await check(ownData, bearer(newKey, []))
  await check(ownData, lasting)
  await assert.rejects(check(ownData, expired), { code: 'TOKEN_EXPIRED' })
})

test('keys that nobody knows make at most one fetch in an interval', async () => {
  const key = aKey('good')
  const { time, state, check } = aGate([key])
  await check(ownData, bearer(key, []))
  const before = state.fetches
  for (const nowMs of [1_000, 2_999]) {
    time.nowMs = nowMs
    await assert.rejects(check(ownData, bearer(aKey(`x${nowMs}`), [])), { code: 'TOKEN_INVALID' })
  }
  assert.equal(state.fetches, before)
  time.nowMs = 3_000
  const strangers = Array.from({ length: 20 }, (_, n) =>
    assert.rejects(check(ownData, bearer(aKey(`y${n}`), [])), { code: 'TOKEN_INVALID' }),
  )
  await Promise.all([...strangers, check(ownData, bearer(key, []))])
  assert.equal(state.fetches, before + 1)
})

test('without rbac staff go on for fifteen minutes, then are told to wait; shoppers go on', async (t) => {
  const key = aKey('good')
  const { time, state, policy, check } = aGate([key])
  await policy.start()
  t.after(() => policy.stop())
  state.isRbacUp = false
  const [staff, shopper] = [bearer(key, ['staff']), bearer(key, [])]
  time.nowMs = 900_000
  await check(staffDeed, staff)
  await assert.rejects(check(staffDeed, shopper), { kind: 'forbidden', code: 'FORBIDDEN' })
  time.nowMs = 900_001
  const stale = { kind: 'unavailable', code: 'POLICY_STALE', retryAfterSeconds: 5 }
  await assert.rejects(check(staffDeed, staff), stale)
  await check(ownData, shopper)
})

test('who may come without a token is told so by the contract alone', async () => {
  const key = aKey('good')
  const { check } = aGate([key])
  await check(routeOf('listProducts'))
  await check(routeOf('getCart'))
  const refusal = { kind: 'unauthenticated', code: 'AUTHENTICATION_REQUIRED' }
  await assert.rejects(check(ownData), refusal)
  await assert.rejects(check(staffDeed), refusal)
  await assert.rejects(check(routeOf('getCart'), 'Bearer a.b.c'), { code: 'TOKEN_INVALID' })
})

test('a guest’s order token is left to orders, and opens nothing else', async () => {
  const { check } = aGate([aKey('good')])
  const token = `Bearer ${encode({ alg: 'HS256', typ: 'JWT' })}.${encode({})}.sig`
  await check(routeOf('getOrder'), token)
  await assert.rejects(check(ownData, token), { code: 'TOKEN_INVALID' })
})
