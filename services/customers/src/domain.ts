import { removeCredentials, setCredentials } from '@halles/contracts/gen/messages/customers'
import { createMessage, type OutgoingMessage } from '@halles/contracts/message'
import { AppError } from '@halles/kit/errors'

export type Customer = {
  id: string
  email: string
  name: string
  passwordHash: string
  version: number
  createdAt: Date
}

export type Address = {
  name: string
  line1: string
  line2?: string
  postalCode: string
  city: string
  region?: string
  country: string
}

export type SavedAddress = { id: string; address: Address }

/** When something changes, and the id of the message that tells of it. */
export type Change = { at: Date; messageId: string }

/** The customer's next state, null when it is erased, with the commands for auth. */
export type Decision = { customer: Customer | null; messages: readonly OutgoingMessage[] }

export const maxAddresses = 20

/** The form in which e-mails are kept and compared. */
export function normalizeEmail(email: string): string {
  return email.trim().toLowerCase()
}

/** A new customer with the command that lets it sign in. */
export function signUp(
  { id, email, name, passwordHash }: Omit<Customer, 'version' | 'createdAt'>,
  change: Change,
): { customer: Customer; messages: readonly OutgoingMessage[] } {
  const customer = {
    id,
    email: normalizeEmail(email),
    name: name.trim(),
    passwordHash,
    version: 1,
    createdAt: change.at,
  }
  return { customer, messages: [toCommand(customer, false, change)] }
}

/** Edits the profile; auth holds nothing of it. */
export function rename(
  customer: Customer,
  { name, expectedVersion }: { name: string; expectedVersion?: number | undefined },
): Decision {
  if (expectedVersion !== undefined && expectedVersion !== customer.version) {
    throw new AppError(
      'precondition-failed',
      'VERSION_MISMATCH',
      'Your profile changed after you read it; read it again.',
    )
  }
  return {
    customer: { ...customer, name: name.trim(), version: customer.version + 1 },
    messages: [],
  }
}

/**
 * Changes the password. `provenHash` is what the current password was verified against: it is no
 * longer good when another change came first.
 */
export function changePassword(
  customer: Customer,
  { provenHash, passwordHash }: { provenHash: string; passwordHash: string },
  change: Change,
): Decision {
  requireProof(customer, provenHash)
  const changed = { ...customer, passwordHash, version: customer.version + 1 }
  return { customer: changed, messages: [toCommand(changed, true, change)] }
}

/** Changes the e-mail; the sessions stay. The e-mail that it already is changes nothing. */
export function changeEmail(
  customer: Customer,
  { provenHash, email }: { provenHash: string; email: string },
  change: Change,
): Decision {
  requireProof(customer, provenHash)
  const normalized = normalizeEmail(email)
  if (normalized === customer.email) return { customer, messages: [] }
  const changed = { ...customer, email: normalized, version: customer.version + 1 }
  return { customer: changed, messages: [toCommand(changed, false, change)] }
}

/** Erases the customer; auth forgets it and ends its sessions. */
export function erase(
  customer: Customer,
  { provenHash }: { provenHash: string },
  { at, messageId }: Change,
): Decision {
  requireProof(customer, provenHash)
  const data = { subjectId: customer.id, version: customer.version + 1 }
  return {
    customer: null,
    messages: [createMessage(removeCredentials, data, { id: messageId, at })],
  }
}

export function wrongPassword(): AppError {
  return new AppError('forbidden', 'WRONG_PASSWORD', 'The current password is not right.', {
    errors: [{ pointer: '/body/currentPassword', detail: 'is not the current password' }],
  })
}

export function emailTaken(): AppError {
  return new AppError('conflict', 'EMAIL_TAKEN', 'There is a customer with this e-mail.', {
    errors: [{ pointer: '/body/email', detail: 'is taken' }],
  })
}

export function customerNotFound(): AppError {
  return new AppError('not-found', 'CUSTOMER_NOT_FOUND', 'There is no such customer.')
}

export function addressNotFound(): AppError {
  return new AppError('not-found', 'ADDRESS_NOT_FOUND', 'There is no such address.')
}

export function tooManyAddresses(): AppError {
  return new AppError(
    'conflict',
    'TOO_MANY_ADDRESSES',
    `At most ${maxAddresses} addresses can be saved; remove one before.`,
  )
}

function requireProof(customer: Customer, provenHash: string): void {
  if (customer.passwordHash !== provenHash) throw wrongPassword()
}

function toCommand(
  { id, email, passwordHash, version }: Customer,
  revokeSessions: boolean,
  { at, messageId }: Change,
): OutgoingMessage {
  const data = { subjectId: id, email, passwordHash, version, revokeSessions }
  return createMessage(setCredentials, data, { id: messageId, at })
}
