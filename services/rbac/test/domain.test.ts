import assert from 'node:assert/strict'
import { test } from 'node:test'
import { uuidv7 } from '@halles/kit/ids'
import { type Assignment, type Change, type Role, setPermissions, setRoles } from '../src/domain.ts'

const knownPermissions = new Set(['orders:read', 'orders:write', 'rbac:write'])
const surroundings = {
  knownRoles: new Set(['administrator', 'support']),
  hasOtherAdministrator: false,
}
const change: Change = { actorId: uuidv7(), at: new Date(), newId: uuidv7 }
const aRole = (role: Partial<Role> = {}): Role => ({
  role: 'support',
  permissions: ['orders:read'],
  version: 3,
  ...role,
})
const anAssignment = (assignment: Partial<Assignment> = {}): Assignment => ({
  subjectId: uuidv7(),
  roles: ['administrator'],
  version: 1,
  ...assignment,
})

test('a changed role has a new version, an audit entry with before and after, and an event', () => {
  const decision = setPermissions(aRole(), ['orders:write', 'orders:read'], {
    ...change,
    knownPermissions,
  })
  assert.ok(decision)
  assert.equal(decision.state.version, 4)
  assert.deepEqual(decision.audit.before, ['orders:read'])
  assert.deepEqual(decision.audit.after, ['orders:read', 'orders:write'])
  assert.equal(decision.audit.actorId, change.actorId)
  assert.equal(decision.message.message.type, 'halles.rbac.role-changed.v1')
  assert.equal(decision.message.message.partitionkey, 'role:support')
  assert.deepEqual(decision.message.message.data, {
    key: 'role:support',
    role: 'support',
    permissions: ['orders:read', 'orders:write'],
    version: 4,
  })
})

test('permissions that a role has already, in any order, change nothing', () => {
  const role = aRole({ permissions: ['orders:read', 'orders:write'] })
  const same = setPermissions(role, ['orders:write', 'orders:read'], {
    ...change,
    knownPermissions,
  })
  assert.equal(same, undefined)
})

test('a new role may have no permission at all', () => {
  const role = aRole({ permissions: [], version: 0 })
  assert.equal(setPermissions(role, [], { ...change, knownPermissions })?.state.version, 1)
})

test('an unknown permission is refused and named by its place', () => {
  const unknown = () =>
    setPermissions(aRole(), ['orders:read', 'moon:walk'], { ...change, knownPermissions })
  assert.throws(unknown, {
    code: 'UNKNOWN_PERMISSION',
    kind: 'unprocessable',
    errors: [{ pointer: '/body/permissions/1', detail: 'is not a permission of this platform' }],
  })
})

test('the administrator role cannot lose the permission to change roles', () => {
  const role = aRole({ role: 'administrator', permissions: ['rbac:write'] })
  assert.throws(() => setPermissions(role, ['orders:read'], { ...change, knownPermissions }), {
    code: 'ADMINISTRATOR_ROLE_PROTECTED',
  })
})

test('a change of what was changed meanwhile is refused', () => {
  assert.throws(
    () => setPermissions(aRole(), [], { ...change, knownPermissions, expectedVersion: 2 }),
    { code: 'VERSION_MISMATCH' },
  )
  assert.throws(
    () => setRoles(anAssignment(), [], { ...change, ...surroundings, expectedVersion: 0 }),
    { code: 'VERSION_MISMATCH' },
  )
})

test('an unknown role cannot be assigned', () => {
  assert.throws(
    () => setRoles(anAssignment(), ['administrator', 'king'], { ...change, ...surroundings }),
    { code: 'UNKNOWN_ROLE', errors: [{ pointer: '/body/roles/1', detail: 'is not a role' }] },
  )
})

test('the last administrator stays one', () => {
  assert.throws(() => setRoles(anAssignment(), ['support'], { ...change, ...surroundings }), {
    code: 'LAST_ADMINISTRATOR',
    kind: 'conflict',
  })
})

test('an administrator may go while there is another', () => {
  const decision = setRoles(anAssignment(), [], {
    ...change,
    ...surroundings,
    hasOtherAdministrator: true,
  })
  assert.deepEqual(decision?.state.roles, [])
  assert.equal(decision?.message.message.type, 'halles.rbac.assignment-changed.v1')
})
