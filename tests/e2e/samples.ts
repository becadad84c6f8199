import { randomUUID } from 'node:crypto'
import type { Sample } from './bad-requests.ts'
import { newEmail, newOrder, type Shop, shippingAddress, unique } from './shop.ts'

const someId = '00000000-0000-7000-8000-000000000000'
const price = { amountMinor: 1_200, currency: 'EUR' }

/** Good bodies by operation: what bad ones are made from. */
const bodies: Record<string, () => unknown> = {
  signIn: () => ({ email: newEmail(), password: 'market-day' }),
  refreshSession: () => ({ refreshToken: 'x'.repeat(43) }),
  signUp: () => ({ email: newEmail(), password: 'market-day', name: 'Odette' }),
  updateMe: () => ({ name: 'Odette' }),
  changePassword: () => ({ currentPassword: 'not-the-one', newPassword: 'market-day' }),
  changeEmail: () => ({ email: newEmail(), currentPassword: 'not-the-one' }),
  addAddress: () => shippingAddress,
  replaceAddress: () => shippingAddress,
  eraseMe: () => ({ currentPassword: 'not-the-one' }),
  putCartLine: () => ({ quantity: 1 }),
  cancelOrder: () => ({ reason: 'No more need.' }),
  fulfilOrder: () => ({ lines: [{ variantId: someId, quantity: 1 }] }),
  refundOrder: () => ({ amount: price, isReturned: false }),
  recordReceipt: () => ({ amount: price, reference: 'SEPA 1' }),
  reconcilePayments: () => ({ from: '2026-01-01T00:00:00.000Z' }),
  createProduct: () => ({
    slug: `basket-${unique()}`,
    title: 'Basket',
    descriptionHtml: '<p>Willow.</p>',
    vendor: null,
    category: 'Baskets',
    tags: ['willow'],
    status: 'active',
    options: ['Size'],
    images: [{ url: 'https://images.example/basket.jpg', alt: 'A basket' }],
    variants: [{ sku: `B-${unique()}`, title: 'Large', optionValues: ['L'], price, quantity: 3 }],
  }),
  updateProduct: () => ({ title: 'Basket', tags: ['willow'] }),
  setPrice: () => price,
  replaceVariants: () => ({
    options: ['Size'],
    variants: [
      {
        sku: `B-${unique()}`,
        title: 'Large',
        optionValues: ['L'],
        price,
        compareAtPrice: price,
        quantity: 3,
      },
    ],
  }),
  changePrices: () => ({
    selection: { variantIds: [someId], q: 'basket', category: 'Baskets' },
    change: { basisPoints: -1_000 },
    rounding: '99',
    currency: 'EUR',
    dryRun: true,
  }),
  setStock: () => ({ quantity: 3 }),
  putRole: () => ({ permissions: ['orders:read'] }),
  putSubjectRoles: () => ({ roles: ['support'] }),
  discardDeadLetter: () => ({ reason: 'No more need.' }),
  actOnPart: () => ({ action: 'slow', slowMs: 0 }),
  scalePart: () => ({ replicas: 1 }),
  replayDeadLetters: () => ({
    service: 'carts',
    type: 'halles.products.price-changed.v1',
    failedBefore: '2026-01-01T00:00:00Z',
    limit: 10,
    ratePerSecond: 50,
  }),
}

/** Queries that an operation cannot do without. */
const queries: Record<string, string> = {
  summarizeOrders: 'from=2026-01-01T00:00:00Z&to=2026-02-01T00:00:00Z',
  addImage: 'alt=A%20basket',
}

/** Those whose `Idempotency-Key` is required. */
const keyed = ['placeOrder', 'fulfilOrder', 'refundOrder']

export const operationsWithBody = [...Object.keys(bodies), 'placeOrder', 'quoteOrder']

/** Makes a good request of any operation, on things that exist and may be changed. */
export async function createSamples(shop: Shop): Promise<(operation: string) => Sample> {
  const { email, password } = shop.stack.readJson('admin.json') as {
    email: string
    password: string
  }
  // A session of its own: should a bad request end it, the other scenarios keep theirs.
  const { token } = await shop.signIn(email, password)
  const { variantId, productId } = await shop.sell()
  const cart = await shop.cartWith({ [variantId]: 1 }, token)
  const order = await shop.checkout(cart, { token })
  const params = {
    cartId: cart.id,
    variantId,
    productId,
    // Some operations at that path take no slug.
    idOrSlug: productId,
    orderId: order.id,
    fulfilmentId: randomUUID(),
    refundId: randomUUID(),
    eventId: 'evt_none',
    importId: randomUUID(),
    addressId: randomUUID(),
    imageId: randomUUID(),
    imageWidth: '640',
    customerId: randomUUID(),
    sessionId: randomUUID(),
    subjectId: randomUUID(),
    role: 'e2e-clerk',
    deadLetterId: 'none',
    instanceId: 'nobody-1',
    partOrInstance: 'nobody',
    part: 'nobody',
    replicaService: 'carts',
    messageType: 'halles.products.price-changed.v1',
  }
  return (operation) => ({
    params,
    query: queries[operation] ?? '',
    body:
      operation === 'placeOrder'
        ? newOrder(cart)
        : operation === 'quoteOrder'
          ? { cartId: cart.id, country: 'FR' }
          : bodies[operation]?.(),
    headers: {
      authorization: `Bearer ${token}`,
      ...(keyed.includes(operation) ? { 'idempotency-key': randomUUID() } : {}),
    },
  })
}
