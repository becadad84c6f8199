import {
  type Address,
  type Change,
  type Customer,
  type Decision,
  changeEmail as decideEmail,
  erase as decideErasure,
  changePassword as decidePassword,
  signUp as decideSignUp,
  emailTaken,
  rename,
  type SavedAddress,
  toCommand,
  toSealingContext,
  wrongPassword,
} from './domain.ts'
import type { Deps, ListCustomers, Saving } from './ports.ts'

export type SignUp = { email: string; password: string; name: string }

/** Creates a customer and sends its credentials to auth. */
export async function signUp(deps: Deps, command: SignUp): Promise<Customer> {
  const { email, name, password } = command
  const passwordHash = await deps.passwords.hash(password)
  const change = toChange(deps)
  const decision = decideSignUp({ id: deps.newId(), email, name, passwordHash }, change.at)
  const { customer } = decision
  const { messages } = await seal(deps, decision, change)
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
  const change = toChange(deps)
  const wanted = { id: subjectId, email, name: 'Administrator', passwordHash }
  const decision = decideSignUp(wanted, change.at)
  const { messages } = await seal(deps, decision, change)
  if (await customers.add(decision.customer, messages)) {
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
  deps: Deps,
  command: { customerId: string; name: string; expectedVersion?: number | undefined },
): Promise<Customer> {
  const saved = await update(deps, command.customerId, (customer) => rename(customer, command))
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
  await update(deps, command.customerId, (customer) =>
    decidePassword(customer, { provenHash, passwordHash }),
  )
}

/** Changes the e-mail; auth learns of it by the queue. */
export async function changeEmail(
  deps: Deps,
  command: { customerId: string; currentPassword: string; email: string },
): Promise<void> {
  const { email } = command
  const provenHash = await provePassword(deps, command)
  await update(deps, command.customerId, (customer) => decideEmail(customer, { provenHash, email }))
}

/** Erases what is personal; auth forgets the credentials. */
export async function eraseCustomer(
  deps: Deps,
  command: { customerId: string; currentPassword: string },
): Promise<void> {
  const provenHash = await provePassword(deps, command)
  await update(deps, command.customerId, (customer) => decideErasure(customer, { provenHash }))
}

export async function addAddress(
  { customers, clock, newId }: Deps,
  { customerId, address }: { customerId: string; address: Address },
): Promise<SavedAddress> {
  const saved = { id: newId(), address }
  await customers.addAddress(customerId, saved, clock())
  return saved
}

/** One page of customers for the staff, newest first. */
export async function listCustomers(
  { customers }: Pick<Deps, 'customers'>,
  { text, ...query }: ListCustomers,
): Promise<{ items: Omit<Customer, 'passwordHash'>[]; nextId: string | undefined }> {
  const words = text?.trim().toLowerCase()
  // One more than asked for tells whether there is another page.
  const found = await customers.list({ ...query, text: words || undefined, limit: query.limit + 1 })
  const items = found.slice(0, query.limit)
  return { items, nextId: found.length > query.limit ? items.at(-1)?.id : undefined }
}

/** A customer for the staff; who looked is logged. */
export async function readCustomer(
  { customers, logger }: Pick<Deps, 'customers' | 'logger'>,
  { customerId, by }: { customerId: string; by: string },
): Promise<{ customer: Customer; addresses: SavedAddress[] }> {
  const customer = await customers.get(customerId)
  logger.info({ customerId, subjectId: by }, 'A customer was looked at by the staff.')
  return { customer, addresses: await customers.addresses(customerId) }
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

/**
 * Changes the customer. The version that the command is sealed for is known under the lock alone;
 * sealing takes a fraction of a millisecond and asks nobody.
 */
function update(
  deps: Deps,
  customerId: string,
  decide: (customer: Customer) => Decision,
): Promise<Customer | null> {
  const change = toChange(deps)
  return deps.customers.update(customerId, change.at, (customer) =>
    seal(deps, decide(customer), change),
  )
}

/** The decision with its command for auth, the secret of which only auth can read from here on. */
async function seal(
  { sealer }: Deps,
  { customer, credentials }: Decision,
  change: Change,
): Promise<Saving> {
  if (!credentials) return { customer, messages: [] }
  const { secret } = credentials
  const sealed = secret && (await sealer.seal(secret, toSealingContext(credentials)))
  return { customer, messages: [toCommand(credentials, sealed, change)] }
}

function toChange({ clock, newId }: Deps): Change {
  return { at: clock(), messageId: newId() }
}
