import type { OutgoingMessage } from '@halles/contracts/message'
import type { Logger } from '@halles/kit/logging'
import type { PasswordHasher } from '@halles/kit/passwords'
import type { Sealer } from '@halles/kit/sealing'
import type { Customer, SavedAddress } from './domain.ts'

/** The customer's next state, null when it is erased, with the commands for auth. */
export type Saving = { customer: Customer | null; messages: readonly OutgoingMessage[] }

/** What the staff look for: a part of e-mail or name, or some ids; newest first. */
export type ListCustomers = {
  text: string | undefined
  ids: readonly string[] | undefined
  /** Only customers of before this one. */
  before: string | undefined
  limit: number
}

export type CustomerStore = {
  /** Without those that were erased. */
  list(query: ListCustomers): Promise<Omit<Customer, 'passwordHash'>[]>
  /** Saves a new customer with its messages; false when the e-mail or the id is taken. */
  add(customer: Customer, messages: readonly OutgoingMessage[]): Promise<boolean>
  /** Throws CUSTOMER_NOT_FOUND, also for an erased one, as all below. */
  get(id: string): Promise<Customer>
  /** Whether there is or was such a customer. */
  isKnown(id: string): Promise<boolean>
  /**
   * Locks, decides, saves the customer and its messages in one transaction; a decision for null
   * removes what is personal. `decide` may compute, but waits for nobody: the row is locked.
   * Throws EMAIL_TAKEN.
   */
  update(
    id: string,
    at: Date,
    decide: (customer: Customer) => Promise<Saving>,
  ): Promise<Customer | null>
  /** Oldest first; they are few. */
  addresses(customerId: string): Promise<SavedAddress[]>
  /** Throws TOO_MANY_ADDRESSES. */
  addAddress(customerId: string, saved: SavedAddress, at: Date): Promise<void>
  /** Throws ADDRESS_NOT_FOUND, also for another customer's. */
  replaceAddress(customerId: string, saved: SavedAddress): Promise<void>
  removeAddress(customerId: string, addressId: string): Promise<void>
}

export type Deps = {
  customers: CustomerStore
  passwords: PasswordHasher
  /** Encrypts for auth alone. */
  sealer: Sealer
  clock: () => Date
  newId: () => string
  logger: Logger
}
