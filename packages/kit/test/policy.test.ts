import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createPolicy, type RoleState } from '../src/policy.ts'
import { eventually, silentLogger } from '../src/testing.ts'

const staff = { subjectId: 's', sessionId: '1', roles: ['staff', 'unknown'] }

function aPolicy(fetchPolicy: () => Promise<{ roles: readonly RoleState[] }>) {
  const time = { nowMs: 0 }
  const policy = createPolicy({
    fetchPolicy,
    maxAgeSeconds: 900,
    firstWaitMs: 0,
    logger: silentLogger(),
    clock: () => time.nowMs,
  })
  return { policy, time }
}

const role = (permissions: readonly string[], version: number) => ({
  role: 'staff',
  permissions,
  version,
})

test('a caller may what one of the roles may', async () => {
  const { policy } = aPolicy(async () => ({ roles: [role(['products:write'], 1)] }))
  await policy.start()
  assert.equal(policy.may(staff, 'products:write'), true)
  assert.equal(policy.may({ ...staff, roles: [] }, 'products:write'), false)
  policy.require(staff, 'products:write')
  assert.throws(() => policy.require(staff, 'rbac:write'), { kind: 'forbidden', code: 'FORBIDDEN' })
  await policy.stop()
})

test('a newer state of a role counts at once and an older one is ignored', async () => {
  const { policy } = aPolicy(async () => ({ roles: [role(['products:write'], 5)] }))
  await policy.start()
  policy.apply(role([], 6))
  assert.equal(policy.may(staff, 'products:write'), false)
  policy.apply(role(['products:write'], 4))
  assert.equal(policy.may(staff, 'products:write'), false)
  await policy.stop()
})

test('an event that overtakes the answer of a fetch is not undone by it', async () => {
  const answer = Promise.withResolvers<{ roles: readonly RoleState[] }>()
  const { policy } = aPolicy(() => answer.promise)
  const started = policy.start()
  policy.apply(role([], 8))
  answer.resolve({ roles: [role(['products:write'], 7)] })
  await started
  assert.equal(policy.may(staff, 'products:write'), false)
  await policy.stop()
})

test('a replica that is behind does not give back what an event took away', async () => {
  const time = { nowMs: 0, fetches: 0 }
  const policy = createPolicy({
    async fetchPolicy() {
      time.fetches += 1
      return { roles: [role(['products:write'], 7)] }
    },
    refreshSeconds: 0.001,
    logger: silentLogger(),
    clock: () => time.nowMs,
  })
  // The second answer after now was asked for after now.
  const refreshed = () => {
    const enough = time.fetches + 3
    return eventually(() => time.fetches >= enough)
  }
  await policy.start()
  policy.apply(role([], 8))
  await refreshed()
  assert.equal(policy.may(staff, 'products:write'), false)
  // Nobody is behind for a minute: the database was put back to an older state.
  time.nowMs = 60_000
  await refreshed()
  assert.equal(policy.may(staff, 'products:write'), true)
  await policy.stop()
})

test('the last known policy holds up to its age, then everything is denied', async () => {
  const { policy, time } = aPolicy(async () => ({ roles: [role(['products:write'], 1)] }))
  await policy.start()
  time.nowMs = 900_000
  assert.equal(policy.may(staff, 'products:write'), true)
  time.nowMs = 900_001
  assert.equal(policy.may(staff, 'products:write'), false)
  assert.throws(() => policy.require(staff, 'products:write'), {
    kind: 'unavailable',
    code: 'POLICY_STALE',
  })
  await policy.stop()
})

test('a start waits for a first policy whose owner is starting too', async () => {
  let asked = 0
  const policy = createPolicy({
    logger: silentLogger(),
    fetchPolicy: async () => {
      asked += 1
      if (asked < 3) throw new Error('rbac is not there yet')
      return { roles: [role(['products:write'], 1)] }
    },
  })
  await policy.start()
  assert.equal(policy.may(staff, 'products:write'), true)
  await policy.stop()
})

test('without a first policy the service starts and denies', async () => {
  const { policy } = aPolicy(() => Promise.reject(new Error('rbac is down')))
  await policy.start()
  assert.throws(() => policy.require(staff, 'products:write'), { code: 'POLICY_STALE' })
  await policy.stop()
})
