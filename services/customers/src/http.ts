import { type Operations, routes } from '@halles/contracts/gen/http/customers'
import { AppError } from '@halles/kit/errors'
import { type HttpServer, reply, versionEtag, versionFromIfMatch } from '@halles/kit/http-server'
import { isUuid } from '@halles/kit/ids'
import { type Caller, requireCaller } from '@halles/kit/tokens'
import type { Customer } from './domain.ts'
import type { Deps } from './ports.ts'
import {
  addAddress,
  changeEmail,
  changePassword,
  eraseCustomer,
  exportCustomer,
  listCustomers,
  readCustomer,
  signUp,
  updateProfile,
} from './use-cases.ts'

export { routes }

/** Serves the contract `customers`. What is not for the staff is about the caller alone. */
export function serveCustomers(server: HttpServer<Operations>, deps: Deps): void {
  const { customers } = deps

  server.on('signUp', async ({ body }) => withEtag(await signUp(deps, body)))

  server.on('getMe', async ({ caller }) => withEtag(await customers.get(idOf(caller))))

  server.on('updateMe', async ({ caller, body, headers }) => {
    const ifMatch = headers['if-match']
    const customer = await updateProfile(deps, {
      customerId: idOf(caller),
      name: body.name,
      expectedVersion: ifMatch === undefined ? undefined : versionFromIfMatch(ifMatch),
    })
    return withEtag(customer)
  })

  server.on('changePassword', async ({ caller, body }) =>
    changePassword(deps, { customerId: idOf(caller), ...body }),
  )

  server.on('changeEmail', async ({ caller, body }) =>
    changeEmail(deps, { customerId: idOf(caller), ...body }),
  )

  server.on('eraseMe', async ({ caller, body }) =>
    eraseCustomer(deps, { customerId: idOf(caller), ...body }),
  )

  server.on('exportMe', async ({ caller }) => {
    const { exportedAt, customer, addresses } = await exportCustomer(deps, idOf(caller))
    return {
      exportedAt: exportedAt.toISOString(),
      customer: toView(customer),
      addresses,
    }
  })

  serveAddresses(server, deps)
  serveStaff(server, deps)
}

function serveAddresses(server: HttpServer<Operations>, deps: Deps): void {
  const { customers } = deps

  server.on('listAddresses', async ({ caller }) => ({
    items: await customers.addresses(idOf(caller)),
  }))

  server.on('addAddress', async ({ caller, body }) =>
    addAddress(deps, { customerId: idOf(caller), address: body }),
  )

  server.on('replaceAddress', async ({ caller, params, body }) => {
    const saved = { id: params.addressId.toLowerCase(), address: body }
    await customers.replaceAddress(idOf(caller), saved)
    return saved
  })

  server.on('removeAddress', async ({ caller, params }) =>
    customers.removeAddress(idOf(caller), params.addressId),
  )
}

function serveStaff(server: HttpServer<Operations>, deps: Deps): void {
  server.on('listCustomers', async ({ query: { q: text, ids, cursor, limit } }) => {
    const { items, nextId } = await listCustomers(deps, {
      text,
      ids: ids?.toLowerCase().split(','),
      before: cursor === undefined ? undefined : parseCursor(cursor),
      limit,
    })
    return { items: items.map(toView), nextCursor: nextId === undefined ? null : toCursor(nextId) }
  })

  server.on('getCustomer', async ({ params, caller }) => {
    const customerId = params.customerId.toLowerCase()
    const found = await readCustomer(deps, { customerId, by: idOf(caller) })
    return { customer: toView(found.customer), addresses: found.addresses }
  })
}

/** The id that the cursor carries. Ids are UUIDv7: their order is the order of time. */
function parseCursor(cursor: string): string {
  const id = Buffer.from(cursor, 'base64url').toString('latin1')
  if (isUuid(id)) return id
  throw new AppError('invalid', 'INVALID_CURSOR', 'The cursor is not one of this list.', {
    errors: [{ pointer: '/query/cursor', detail: 'is not a cursor of this list' }],
  })
}

function toCursor(id: string): string {
  return Buffer.from(id, 'latin1').toString('base64url')
}

function idOf(caller: Caller | undefined): string {
  return requireCaller(caller).subjectId
}

function withEtag(customer: Customer) {
  return reply(toView(customer), { headers: { etag: versionEtag(customer.version) } })
}

function toView({ id, email, name, createdAt, version }: Omit<Customer, 'passwordHash'>) {
  return { id, email, name, createdAt: createdAt.toISOString(), version }
}
