import { eventually } from '@halles/kit/testing'
import type { Customer, Shop } from '../../tests/e2e/shop.ts'

/** Somebody who calls the shop, and what there is for them to call. */
export type Caller = {
  /** `guest`, `customer` or a role of the staff. */
  role: string
  /** Signs in anew, so that the token lives through a run; undefined for a guest. */
  token(): Promise<string | undefined>
  /** Values that exist, by the name of a path's parameter. */
  known: Readonly<Record<string, readonly string[]>>
}

/** One caller for each role that the shop has, the administrator last. */
export async function inviteCallers(shop: Shop): Promise<Caller[]> {
  const { api } = shop
  const { items } = await api.ask('listRoles', { token: await shop.admin() })
  const roles = items.map(({ role }) => role).filter((role) => role !== 'administrator')
  const goods = await shop.sell({ quantity: 1_000 })
  const callers = [await invite(shop, 'guest', goods), await invite(shop, 'customer', goods)]
  for (const role of [...roles.sort(), 'administrator']) {
    callers.push(await invite(shop, role, goods, role))
  }
  return callers
}

type Goods = { productId: string; variantId: string }

async function invite(shop: Shop, name: string, goods: Goods, role?: string): Promise<Caller> {
  const { api } = shop
  const person = name === 'guest' ? undefined : await shop.signUp()
  if (person && role !== undefined) await appoint(shop, person, role)
  const token = async () => person && (await shop.signIn(person.email, person.password)).token
  const bearer = await token()
  const cart = await shop.cartWith({ [goods.variantId]: 1 }, bearer)
  const bought = await shop.cartWith({ [goods.variantId]: 2 }, bearer)
  const order = await shop.checkout(bought, { token: bearer })
  await shop.pay(order)
  const product = await api.ask('getProduct', { params: { idOrSlug: goods.productId } })
  const next = bearer === undefined ? cart : await shop.cartWith({ [goods.variantId]: 1 }, bearer)
  const customer = person ?? (await shop.signUp())
  return {
    role: name,
    token,
    known: {
      productId: [goods.productId],
      idOrSlug: [goods.productId, product.slug],
      variantId: [goods.variantId],
      cartId: [next.id],
      orderId: [order.id],
      customerId: [customer.id],
      subjectId: [customer.id],
    },
  }
}

async function appoint(shop: Shop, { id }: Customer, role: string): Promise<void> {
  const token = await shop.admin()
  // Right after a first start rbac may not have heard yet who the administrator is.
  await eventually(() =>
    shop.api.ask('putSubjectRoles', { token, params: { subjectId: id }, body: { roles: [role] } }),
  )
}
