import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { uuidv7 } from '@halles/kit/ids'
import { outboxSchema } from '@halles/kit/outbox'
import { createTestDatabase, eventually, type TestDatabase } from '@halles/kit/testing'
import { defaultRoles } from '../src/domain.ts'
import type { Deps } from '../src/ports.ts'
import { createPolicyStore } from '../src/store.ts'
import { preparePolicy, putRole, putSubjectRoles } from '../src/use-cases.ts'

let fresh: TestDatabase
let deps: Deps
const first = ['rbac:write', ...Object.values(defaultRoles).flat()]

before(async () => {
  fresh = await createTestDatabase({
    directory: new URL('../migrations', import.meta.url).pathname,
    schemas: [outboxSchema],
  })
  deps = {
    store: createPolicyStore(fresh.database),
    permissions: known(first),
    clock: () => new Date(),
    newId: uuidv7,
  }
})
after(() => fresh.drop())

const known = (names: readonly string[]) => Object.fromEntries(names.map((name) => [name, '']))

const administratorRole = async () => (await deps.store.role('administrator')).permissions

test('replicas that start at once on a new database make each role once', async () => {
  await Promise.all([1, 2, 3].map(() => preparePolicy(deps)))
  const roles = await deps.store.roles()
  assert.deepEqual(
    roles.map(({ version }) => version),
    roles.map(() => 1),
  )
})

test('the administrator role gets what a new release brings, and keeps what was taken from it', async () => {
  const before = await administratorRole()
  const kept = before.filter((permission) => permission !== 'products:write')
  await putRole(deps, { actorId: uuidv7(), role: 'administrator', permissions: kept })
  const newer = { ...deps, permissions: known([...first, 'refunds:write']) }
  await preparePolicy(newer)
  assert.deepEqual(await administratorRole(), [...kept, 'refunds:write'].sort())
  await preparePolicy(newer)
  assert.deepEqual(await administratorRole(), [...kept, 'refunds:write'].sort())
})

test('who could edit products before reading them was a permission may read them afterwards', async () => {
  const database = await createTestDatabase({
    directory: new URL('../migrations', import.meta.url).pathname,
    schemas: [outboxSchema],
  })
  try {
    const store = createPolicyStore(database.database)
    const old = { ...deps, store, permissions: known(['rbac:write', 'products:write', ...first]) }
    const { 'products:read': _new, ...before } = old.permissions
    await store.change(async (changes) => {
      await changes.takeFirstStep('default-roles', deps.clock())
    })
    await preparePolicy({ ...old, permissions: before })
    const permissions = ['products:write']
    await putRole(old, { actorId: uuidv7(), role: 'editor', permissions })
    await preparePolicy(old)
    assert.deepEqual((await store.role('editor')).permissions, ['products:read', 'products:write'])
    await putRole(old, { actorId: uuidv7(), role: 'editor', permissions })
    await preparePolicy(old)
    assert.deepEqual((await store.role('editor')).permissions, permissions)
  } finally {
    await database.drop()
  }
})

test('the first administrator who was removed is not brought back by a restart', async () => {
  const [bootstrapped, other] = [uuidv7(), uuidv7()]
  await preparePolicy(deps, bootstrapped)
  assert.deepEqual((await deps.store.assignment(bootstrapped)).roles, ['administrator'])
  const actorId = other
  await putSubjectRoles(deps, { actorId, subjectId: other, roles: ['administrator'] })
  await putSubjectRoles(deps, { actorId, subjectId: bootstrapped, roles: [] })
  await preparePolicy(deps, bootstrapped)
  assert.deepEqual((await deps.store.assignment(bootstrapped)).roles, [])
})

test('one change waits for the other, whoever makes it', async () => {
  const order: string[] = []
  let second: Promise<unknown> | undefined
  await deps.store.change(async () => {
    second = deps.store.change(async () => order.push('second'))
    await eventually(async () => {
      const { rows } = await fresh.database.pool.query<{ waits: boolean }>(
        `select count(*) > 0 as waits from pg_stat_activity
         where datname = current_database() and wait_event = 'advisory'`,
      )
      return rows[0]?.waits === true || order.length > 0
    })
    order.push('first')
  })
  await second
  assert.deepEqual(order, ['first', 'second'])
})
