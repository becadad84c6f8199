import assert from 'node:assert/strict'
import { test } from 'node:test'
import { uuidv7 } from '@halles/kit/ids'
import { outboxSchema } from '@halles/kit/outbox'
import { createPolicy } from '@halles/kit/policy'
import { createTestDatabase, eventually, silentLogger } from '@halles/kit/testing'
import { createHeldPolicy } from '../src/held-policy.ts'
import { createPolicyStore } from '../src/store.ts'
import { putRole } from '../src/use-cases.ts'

const logger = silentLogger()
const readerCount = 5
const asked = 100

test('however many ask two replicas, the policy is read once for each change', async (t) => {
  const fresh = await createTestDatabase({
    directory: new URL('../migrations', import.meta.url).pathname,
    schemas: [outboxSchema],
  })
  t.after(() => fresh.drop())
  const store = createPolicyStore(fresh.database)
  const knownPermissions = new Set(['rbac:write', 'products:write', 'orders:read'])
  const permissions = Object.fromEntries([...knownPermissions].map((name) => [name, '']))
  const deps = { store, permissions, clock: () => new Date(), newId: uuidv7 }

  let reads = 0
  let answers = 0
  const replicas = [1, 2].map(() =>
    createHeldPolicy({
      readRoles() {
        reads += 1
        return store.roles()
      },
      onChange: () => undefined,
      listenUrl: fresh.url,
      logger,
    }),
  )
  for (const replica of replicas) await replica.start?.()
  // Each reads when it listens.
  await eventually(() => reads === replicas.length)
  const readers = Array.from({ length: readerCount }, () =>
    createPolicy({
      async fetchPolicy() {
        answers += 1
        return { roles: (await replicas[answers % 2]?.roles()) ?? [] }
      },
      refreshSeconds: 0.005,
      logger,
    }),
  )
  await Promise.all(readers.map((reader) => reader.start()))
  const seller = { subjectId: uuidv7(), sessionId: uuidv7(), roles: ['seller'] }
  const wanted = [['products:write'], ['orders:read'], ['products:write', 'orders:read']]
  for (const permissions of wanted) {
    await putRole(deps, { actorId: uuidv7(), role: 'seller', permissions })
    await eventually(() =>
      readers.every((reader) =>
        [...knownPermissions].every(
          (each) => reader.may(seller, each) === permissions.includes(each),
        ),
      ),
    )
  }
  await eventually(() => answers >= asked)
  for (const part of [...readers, ...replicas]) await part.stop?.()
  assert.equal(reads, replicas.length * (1 + wanted.length), `for ${answers} answers`)
})
