import { type Database, isUniqueViolation, type Queries, sql } from '@halles/kit/database'
import { outboxInsert, toOutboxRows } from '@halles/kit/outbox'
import {
  addressNotFound,
  type Customer,
  customerNotFound,
  emailTaken,
  maxAddresses,
  type SavedAddress,
  tooManyAddresses,
} from './domain.ts'
import type { CustomerStore } from './ports.ts'

const insertCustomer = sql(
  'customers.insert_customer',
  `with created as (
    insert into customers (id, email, name, password_hash, version, created_at, updated_at)
    values ($1, $2, $3, $4, $5, $6, $6)
    on conflict do nothing
    returning id
  ), emitted as (${outboxInsert(7, 'created')})
  select id from created`,
)
const columns = `id, email, name, password_hash as "passwordHash", version,
  created_at as "createdAt"`
const selectCustomer = sql(
  'customers.select_customer',
  `select ${columns} from customers where id = $1 and erased_at is null`,
)
// The lock gives two changes of one customer an order, and their commands the same one.
const selectForUpdate = sql(
  'customers.select_customer_for_update',
  `select ${columns} from customers where id = $1 and erased_at is null for update`,
)
const listColumns = 'id, email, name, version, created_at as "createdAt"'
const page = 'erased_at is null and ($1::uuid is null or id < $1)'
const listAll = sql(
  'customers.list_all',
  `select ${listColumns} from customers where ${page} order by id desc limit $2`,
)
const listFound = sql(
  'customers.list_found',
  `select ${listColumns} from customers
   where ${page} and (lower(email) || ' ' || lower(name)) like $3 order by id desc limit $2`,
)
const listByIds = sql(
  'customers.list_by_ids',
  `select ${listColumns} from customers
   where ${page} and id = any ($3::uuid[])
     and ($4::text is null or (lower(email) || ' ' || lower(name)) like $4)
   order by id desc limit $2`,
)
const selectKnown = sql('customers.select_known', 'select 1 from customers where id = $1')
const updateCustomer = sql(
  'customers.update_customer',
  `with changed as (
    update customers
    set email = $2, name = $3, password_hash = $4, version = $5, updated_at = $6
    where id = $1
    returning id
  ), emitted as (${outboxInsert(7, 'changed')})
  select id from changed`,
)
const eraseCustomer = sql(
  'customers.erase_customer',
  `with changed as (
    update customers
    set email = null, name = null, password_hash = null, version = version + 1,
      updated_at = $2, erased_at = $2
    where id = $1
    returning id
  ), forgotten as (
    delete from addresses where customer_id = $1
  ), emitted as (${outboxInsert(3, 'changed')})
  select id from changed`,
)
const selectAddresses = sql(
  'customers.select_addresses',
  `select id, name, line1, line2, postal_code as "postalCode", city, region, country
   from addresses where customer_id = $1 order by created_at, id limit ${maxAddresses}`,
)
// After the customer's row is locked, so that two that add the last one are counted.
const insertAddress = sql(
  'customers.insert_address',
  `insert into addresses
     (customer_id, id, name, line1, line2, postal_code, city, region, country, created_at)
   select $1, $2, $3, $4, $5, $6, $7, $8, $9, $10
   where (select count(*) from addresses where customer_id = $1) < ${maxAddresses}`,
)
const updateAddress = sql(
  'customers.update_address',
  `update addresses
   set name = $3, line1 = $4, line2 = $5, postal_code = $6, city = $7, region = $8, country = $9
   where customer_id = $1 and id = $2`,
)
const deleteAddress = sql(
  'customers.delete_address',
  'delete from addresses where customer_id = $1 and id = $2',
)

/** Customers and their addresses in PostgreSQL; the truth about e-mail and password. */
export function createCustomerStore(database: Database): CustomerStore {
  return {
    async add(customer, messages) {
      const { id, email, name, passwordHash, version, createdAt } = customer
      const values = [id, email, name, passwordHash, version, createdAt, toOutboxRows(messages)]
      return (await database.query(insertCustomer, values)).length === 1
    },
    get: (id) => database.one<Customer>(selectCustomer, [id], customerNotFound),
    list({ text, ids, before = null, limit }) {
      const like = text && `%${text.replace(/[\\%_]/g, '\\$&')}%`
      if (ids) return database.query(listByIds, [before, limit, ids, like])
      if (like) return database.query(listFound, [before, limit, like])
      return database.query(listAll, [before, limit])
    },
    isKnown: async (id) => (await database.query(selectKnown, [id])).length > 0,
    async update(id, at, decide) {
      try {
        return await database.transaction(async (tx) => {
          const known = await tx.one<Customer>(selectForUpdate, [id], customerNotFound)
          const { customer, messages } = await decide(known)
          const outbox = toOutboxRows(messages)
          if (!customer) await tx.query(eraseCustomer, [id, at, outbox])
          else if (customer !== known) await save(tx, customer, { at, outbox })
          return customer
        })
      } catch (error) {
        if (isUniqueViolation(error, 'customers_email')) throw emailTaken()
        throw error
      }
    },
    async addresses(customerId) {
      return (await database.query<AddressRow>(selectAddresses, [customerId])).map(toSavedAddress)
    },
    addAddress: (customerId, saved, at) =>
      database.transaction(async (tx) => {
        await tx.one(selectForUpdate, [customerId], customerNotFound)
        const added = await tx.run(insertAddress, [customerId, ...fromSavedAddress(saved), at])
        if (added === 0) throw tooManyAddresses()
      }),
    async replaceAddress(customerId, saved) {
      const values = [customerId, ...fromSavedAddress(saved)]
      if ((await database.run(updateAddress, values)) === 0) throw addressNotFound()
    },
    async removeAddress(customerId, addressId) {
      const removed = await database.run(deleteAddress, [customerId, addressId])
      if (removed === 0) throw addressNotFound()
    },
  }
}

async function save(
  tx: Queries,
  { id, email, name, passwordHash, version }: Customer,
  { at, outbox }: { at: Date; outbox: string },
): Promise<void> {
  await tx.query(updateCustomer, [id, email, name, passwordHash, version, at, outbox])
}

type AddressRow = {
  id: string
  name: string
  line1: string
  line2: string | null
  postalCode: string
  city: string
  region: string | null
  country: string
}

function toSavedAddress({ id, line2, region, ...rest }: AddressRow): SavedAddress {
  return {
    id,
    address: { ...rest, ...(line2 !== null && { line2 }), ...(region !== null && { region }) },
  }
}

function fromSavedAddress({ id, address }: SavedAddress): unknown[] {
  const { name, line1, line2 = null, postalCode, city, region = null, country } = address
  return [id, name, line1, line2, postalCode, city, region, country]
}
