import { type Operations, routes } from '@halles/contracts/gen/http/customers'
import { type HttpServer, reply, versionEtag, versionFromIfMatch } from '@halles/kit/http-server'
import { type Caller, requireCaller } from '@halles/kit/tokens'
import type { Customer } from './domain.ts'
import type { Deps } from './ports.ts'
import {
  addAddress,
  changeEmail,
  changePassword,
  eraseCustomer,
  exportCustomer,
  signUp,
  updateProfile,
} from './use-cases.ts'

export { routes }

/** Serves the contract `customers`. Everything but sign-up is about the caller alone. */
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

function idOf(caller: Caller | undefined): string {
  return requireCaller(caller).subjectId
}

function withEtag(customer: Customer) {
  return reply(toView(customer), { headers: { etag: versionEtag(customer.version) } })
}

function toView({ id, email, name, createdAt, version }: Customer) {
  return { id, email, name, createdAt: createdAt.toISOString(), version }
}
