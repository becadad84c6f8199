import {
  removeCredentials,
  type SecretCredentials,
  setCredentials,
} from '@halles/contracts/gen/messages/customers'
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

/** What auth has to hold of a customer from now on; `secret` is null when it shall forget it. */
export type CredentialsChange = {
  subjectId: string
  version: number
  secret: SecretCredentials | null
  revokeSessions: boolean
}

/** The customer's next state, null when it is erased, and what auth has to learn of it. */
export type Decision = { customer: Customer | null; credentials?: CredentialsChange }

export const maxAddresses = 20

/** The form in which e-mails are kept and compared. */
export function normalizeEmail(email: string): string {
  return email.trim().toLowerCase()
}

/** A new customer with the credentials that let it sign in. */
export function signUp(
  { id, email, name, passwordHash }: Omit<Customer, 'version' | 'createdAt'>,
  at: Date,
): { customer: Customer; credentials: CredentialsChange } {
  const customer = {
    id,
    email: normalizeEmail(email),
    name: name.trim(),
    passwordHash,
    version: 1,
    createdAt: at,
  }
  return { customer, credentials: toCredentials(customer, false) }
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
  return { customer: { ...customer, name: name.trim(), version: customer.version + 1 } }
}

/**
 * Changes the password. `provenHash` is what the current password was verified against: it is no
 * longer good when another change came first.
 */
export function changePassword(
  customer: Customer,
  { provenHash, passwordHash }: { provenHash: string; passwordHash: string },
): Decision {
  requireProof(customer, provenHash)
  const changed = { ...customer, passwordHash, version: customer.version + 1 }
  return { customer: changed, credentials: toCredentials(changed, true) }
}

/** Changes the e-mail; the sessions stay. The e-mail that it already is changes nothing. */
export function changeEmail(
  customer: Customer,
  { provenHash, email }: { provenHash: string; email: string },
): Decision {
  requireProof(customer, provenHash)
  const normalized = normalizeEmail(email)
  if (normalized === customer.email) return { customer }
  const changed = { ...customer, email: normalized, version: customer.version + 1 }
  return { customer: changed, credentials: toCredentials(changed, false) }
}

/** Erases the customer; auth forgets it and ends its sessions. */
export function erase(customer: Customer, { provenHash }: { provenHash: string }): Decision {
  requireProof(customer, provenHash)
  const { id: subjectId, version } = customer
  const credentials = { subjectId, version: version + 1, secret: null, revokeSessions: true }
  return { customer: null, credentials }
}

/** What the secret of credentials is sealed for, so that it is good in one message alone. */
export function toSealingContext({ subjectId, version }: CredentialsChange) {
  return { type: setCredentials.type, subjectId, version }
}

/** The command for auth. Its secret was sealed before: nothing on its way can read it. */
export function toCommand(
  { subjectId, version, revokeSessions }: CredentialsChange,
  sealed: string | null,
  { at, messageId: id }: Change,
): OutgoingMessage {
  if (sealed === null) return createMessage(removeCredentials, { subjectId, version }, { id, at })
  const data = { subjectId, version, sealed, revokeSessions }
  return createMessage(setCredentials, data, { id, at })
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

function toCredentials(
  { id, email, passwordHash, version }: Customer,
  revokeSessions: boolean,
): CredentialsChange {
  return { subjectId: id, version, secret: { email, passwordHash }, revokeSessions }
}
