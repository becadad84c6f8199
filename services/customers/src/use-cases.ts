import {
  type Address,
  type Change,
  type Customer,
  changeEmail as decideEmail,
  erase as decideErasure,
  changePassword as decidePassword,
  signUp as decideSignUp,
  emailTaken,
  rename,
  type SavedAddress,
  wrongPassword,
} from './domain.ts'
import type { Deps } from './ports.ts'

export type SignUp = { email: string; password: string; name: string }

/** Creates a customer and sends its credentials to auth. */
export async function signUp(deps: Deps, command: SignUp): Promise<Customer> {
  const { email, name, password } = command
  const passwordHash = await deps.passwords.hash(password)
  const { customer, messages } = decideSignUp(
    { id: deps.newId(), email, name, passwordHash },
    toChange(deps),
  )
  if (!(await deps.customers.add(customer, messages))) throw emailTaken()
  return customer
}

export type FirstAdministrator = { subjectId: string; email: string; password: string }

/**
 * Creates the first administrator once; a later start finds it, or its erased remains, and leaves
 * its password alone.
 */
export async function createAdministrator(
  deps: Deps,
  { subjectId, email, password }: FirstAdministrator,
): Promise<void> {
  const { customers, passwords, logger } = deps
  if (await customers.isKnown(subjectId)) return
  const passwordHash = await passwords.hash(password)
  const { customer, messages } = decideSignUp(
    { id: subjectId, email, name: 'Administrator', passwordHash },
    toChange(deps),
  )
  if (await customers.add(customer, messages)) {
    logger.info({ subjectId }, 'The first administrator was created.')
  } else if (!(await customers.isKnown(subjectId))) {
    logger.error(
      { subjectId },
      'ADMIN_EMAIL belongs to another customer, so that no administrator was created.',
    )
  }
}

/** Edits the profile. */
export async function updateProfile(
  { customers, clock }: Deps,
  command: { customerId: string; name: string; expectedVersion?: number | undefined },
): Promise<Customer> {
  const saved = await customers.update(command.customerId, clock(), (customer) =>
    rename(customer, command),
  )
  if (!saved) throw new Error('A renamed customer was erased.')
  return saved
}

/** Changes the password; auth learns of it by the queue and ends the older sessions. */
export async function changePassword(
  deps: Deps,
  command: { customerId: string; currentPassword: string; newPassword: string },
): Promise<void> {
  const provenHash = await provePassword(deps, command)
  const passwordHash = await deps.passwords.hash(command.newPassword)
  const change = toChange(deps)
  await deps.customers.update(command.customerId, change.at, (customer) =>
    decidePassword(customer, { provenHash, passwordHash }, change),
  )
}

/** Changes the e-mail; auth learns of it by the queue. */
export async function changeEmail(
  deps: Deps,
  command: { customerId: string; currentPassword: string; email: string },
): Promise<void> {
  const { email } = command
  const provenHash = await provePassword(deps, command)
  const change = toChange(deps)
  await deps.customers.update(command.customerId, change.at, (customer) =>
    decideEmail(customer, { provenHash, email }, change),
  )
}

/** Erases what is personal; auth forgets the credentials. */
export async function eraseCustomer(
  deps: Deps,
  command: { customerId: string; currentPassword: string },
): Promise<void> {
  const provenHash = await provePassword(deps, command)
  const change = toChange(deps)
  await deps.customers.update(command.customerId, change.at, (customer) =>
    decideErasure(customer, { provenHash }, change),
  )
}

export async function addAddress(
  { customers, clock, newId }: Deps,
  { customerId, address }: { customerId: string; address: Address },
): Promise<SavedAddress> {
  const saved = { id: newId(), address }
  await customers.addAddress(customerId, saved, clock())
  return saved
}

export type CustomerExport = { exportedAt: Date; customer: Customer; addresses: SavedAddress[] }

/** Everything that is held about a customer. */
export async function exportCustomer(
  { customers, clock }: Deps,
  customerId: string,
): Promise<CustomerExport> {
  const customer = await customers.get(customerId)
  return { exportedAt: clock(), customer, addresses: await customers.addresses(customerId) }
}

/** The hash that the current password was verified against, outside of any transaction. */
async function provePassword(
  { customers, passwords }: Deps,
  { customerId, currentPassword }: { customerId: string; currentPassword: string },
): Promise<string> {
  const { passwordHash } = await customers.get(customerId)
  if (!(await passwords.verify(passwordHash, currentPassword))) throw wrongPassword()
  return passwordHash
}

function toChange({ clock, newId }: Deps): Change {
  return { at: clock(), messageId: newId() }
}
