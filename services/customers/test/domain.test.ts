import assert from 'node:assert/strict'
import { test } from 'node:test'
import { uuidv7 } from '@halles/kit/ids'
import {
  type Change,
  type Customer,
  changeEmail,
  changePassword,
  erase,
  rename,
  signUp,
} from '../src/domain.ts'

const change: Change = { at: new Date('2026-05-01T12:00:00Z'), messageId: uuidv7() }
const aCustomer = (): Customer => ({
  id: uuidv7(),
  email: 'ana@example.org',
  name: 'Ana',
  passwordHash: 'current hash',
  version: 7,
  createdAt: change.at,
})
const commandsOf = ({ messages }: ReturnType<typeof changePassword>) =>
  messages.map(({ message }) => [message.type, message.data])

test('a new customer has version 1, a normalized e-mail and a command for auth', () => {
  const id = uuidv7()
  const wanted = { id, email: ' Ana@Example.ORG', name: ' Ana ', passwordHash: 'a hash' }
  const { customer, messages } = signUp(wanted, change)
  assert.deepEqual([customer.email, customer.name, customer.version], ['ana@example.org', 'Ana', 1])
  assert.deepEqual(messages[0]?.address, { kind: 'queue', name: 'auth.set-credentials' })
  assert.equal(messages[0]?.message.partitionkey, id)
  assert.deepEqual(messages[0]?.message.data, {
    subjectId: id,
    email: 'ana@example.org',
    passwordHash: 'a hash',
    version: 1,
    revokeSessions: false,
  })
})

test('a new password has the next version and ends the sessions', () => {
  const customer = aCustomer()
  const proof = { provenHash: 'current hash', passwordHash: 'next hash' }
  const decision = changePassword(customer, proof, change)
  assert.equal(decision.customer?.version, 8)
  assert.deepEqual(commandsOf(decision), [
    [
      'halles.auth.set-credentials.v1',
      {
        subjectId: customer.id,
        email: 'ana@example.org',
        passwordHash: 'next hash',
        version: 8,
        revokeSessions: true,
      },
    ],
  ])
})

test('a password that was proven against a hash that is gone is not the current one', () => {
  const proof = { provenHash: 'older hash', passwordHash: 'next hash' }
  assert.throws(() => changePassword(aCustomer(), proof, change), { code: 'WRONG_PASSWORD' })
  const email = { provenHash: 'older hash', email: 'bo@example.org' }
  assert.throws(() => changeEmail(aCustomer(), email, change), { code: 'WRONG_PASSWORD' })
  assert.throws(() => erase(aCustomer(), { provenHash: 'older hash' }, change), {
    code: 'WRONG_PASSWORD',
  })
})

test('the e-mail that a customer has already, in other letters, changes nothing', () => {
  const customer = aCustomer()
  const same = { provenHash: 'current hash', email: 'ANA@example.org' }
  assert.deepEqual(changeEmail(customer, same, change), { customer, messages: [] })
})

test('an erased customer leaves nothing but a command with its next version', () => {
  const customer = aCustomer()
  const decision = erase(customer, { provenHash: 'current hash' }, change)
  assert.equal(decision.customer, null)
  assert.deepEqual(commandsOf(decision), [
    ['halles.auth.remove-credentials.v1', { subjectId: customer.id, version: 8 }],
  ])
})

test('a profile that was changed meanwhile is not overwritten', () => {
  const edit = { name: 'Bo', expectedVersion: 6 }
  assert.throws(() => rename(aCustomer(), edit), { code: 'VERSION_MISMATCH' })
  assert.equal(rename(aCustomer(), { name: 'Bo', expectedVersion: 7 }).customer?.version, 8)
})
