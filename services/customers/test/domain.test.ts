import assert from 'node:assert/strict'
import { test } from 'node:test'
import { uuidv7 } from '@halles/kit/ids'
import {
  type Change,
  type CredentialsChange,
  type Customer,
  changeEmail,
  changePassword,
  erase,
  rename,
  signUp,
  toCommand,
  toSealingContext,
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

test('a new customer has version 1, a normalized e-mail and credentials for auth', () => {
  const id = uuidv7()
  const wanted = { id, email: ' Ana@Example.ORG', name: ' Ana ', passwordHash: 'a hash' }
  const { customer, credentials } = signUp(wanted, change.at)
  assert.deepEqual([customer.email, customer.name, customer.version], ['ana@example.org', 'Ana', 1])
  assert.deepEqual(credentials, {
    subjectId: id,
    version: 1,
    secret: { email: 'ana@example.org', passwordHash: 'a hash' },
    revokeSessions: false,
  })
})

test('a new password has the next version and ends the sessions', () => {
  const customer = aCustomer()
  const proof = { provenHash: 'current hash', passwordHash: 'next hash' }
  const decision = changePassword(customer, proof)
  assert.equal(decision.customer?.version, 8)
  assert.deepEqual(decision.credentials, {
    subjectId: customer.id,
    version: 8,
    secret: { email: 'ana@example.org', passwordHash: 'next hash' },
    revokeSessions: true,
  })
})

test('a command holds what is secret sealed alone, and sealed for itself', () => {
  const credentials: CredentialsChange = {
    subjectId: uuidv7(),
    version: 8,
    secret: { email: 'ana@example.org', passwordHash: 'next hash' },
    revokeSessions: true,
  }
  const { subjectId } = credentials
  const { address, message } = toCommand(credentials, 'a sealed text', change)
  assert.deepEqual(address, { kind: 'queue', name: 'auth.set-credentials' })
  assert.deepEqual([message.partitionkey, message.id], [subjectId, change.messageId])
  const data = { subjectId, version: 8, sealed: 'a sealed text', revokeSessions: true }
  assert.deepEqual(message.data, data)
  assert.deepEqual(toSealingContext(credentials), { type: message.type, subjectId, version: 8 })
})

test('a password that was proven against a hash that is gone is not the current one', () => {
  const proof = { provenHash: 'older hash', passwordHash: 'next hash' }
  assert.throws(() => changePassword(aCustomer(), proof), { code: 'WRONG_PASSWORD' })
  const email = { provenHash: 'older hash', email: 'bo@example.org' }
  assert.throws(() => changeEmail(aCustomer(), email), { code: 'WRONG_PASSWORD' })
  assert.throws(() => erase(aCustomer(), { provenHash: 'older hash' }), { code: 'WRONG_PASSWORD' })
})

test('the e-mail that a customer has already, in other letters, changes nothing', () => {
  const customer = aCustomer()
  const same = { provenHash: 'current hash', email: 'ANA@example.org' }
  assert.deepEqual(changeEmail(customer, same), { customer })
})

test('an erased customer leaves nothing but a command with its next version', () => {
  const customer = aCustomer()
  const { customer: left, credentials } = erase(customer, { provenHash: 'current hash' })
  assert.equal(left, null)
  assert.ok(credentials)
  const { message } = toCommand(credentials, null, change)
  assert.equal(message.type, 'halles.auth.remove-credentials.v1')
  assert.deepEqual(message.data, { subjectId: customer.id, version: 8 })
})

test('a profile that was changed meanwhile is not overwritten', () => {
  const edit = { name: 'Bo', expectedVersion: 6 }
  assert.throws(() => rename(aCustomer(), edit), { code: 'VERSION_MISMATCH' })
  assert.equal(rename(aCustomer(), { name: 'Bo', expectedVersion: 7 }).customer?.version, 8)
})
