import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { card, confirmAtBank, postCard } from '../hosted-page.ts'
import { createSandboxClient } from '../sandbox.ts'
import type { Shop } from '../shop.ts'

/** What a card can do on the provider's page, and what becomes of the order. */
export function cards({ stack, api, sell, cartWith, checkout, orderBecomes, stockOf }: Shop): void {
  async function placeOrder() {
    const { variantId } = await sell({ quantity: 3 })
    const order = await checkout(await cartWith({ [variantId]: 1 }))
    const read = () =>
      api.ask('getOrder', { params: { orderId: order.id }, token: order.accessToken })
    return { order, variantId, read }
  }

  describe('A card', () => {
    test('that is declined leaves the order unpaid and its stock held; another one pays', async () => {
      const { order, read, variantId } = await placeOrder()
      const declined = await postCard(order, card.declined)
      assert.equal(declined.status, 402)
      assert.match(declined.text, /declined/i)
      const session = await createSandboxClient(stack).sessionOf(order)
      assert.equal(session.payment_status, 'unpaid')
      const waiting = await read()
      assert.equal(waiting.status, 'pending_payment')
      assert.equal(waiting.payment.redirectUrl, order.payment.redirectUrl)
      assert.equal((await stockOf(variantId)).reserved, 1)

      assert.equal((await postCard(order, card.good)).status, 303)
      await orderBecomes(order, 'paid', order.accessToken)
    })

    test('whose bank asks pays once the shopper has confirmed', async () => {
      const { order, read } = await placeOrder()
      assert.equal((await postCard(order, card.needsAuthentication)).status, 303)
      assert.equal((await read()).status, 'pending_payment')
      assert.equal((await confirmAtBank(order, 'complete')).status, 303)
      await orderBecomes(order, 'paid', order.accessToken)
    })

    test('whose bank is refused by the shopper does not pay', async () => {
      const { order, read } = await placeOrder()
      await postCard(order, card.needsAuthentication)
      assert.equal((await confirmAtBank(order, 'fail')).status, 402)
      assert.equal((await read()).status, 'pending_payment')
      assert.equal((await postCard(order, card.good)).status, 303)
      await orderBecomes(order, 'paid', order.accessToken)
    })

    test('is charged once however often its form is sent', async () => {
      const { order } = await placeOrder()
      const answers = await Promise.all(Array.from({ length: 5 }, () => postCard(order, card.good)))
      assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([303]))
      const paid = await orderBecomes(order, 'paid', order.accessToken)
      assert.equal(paid.version, 2, 'The order was settled more than once.')
    })
  })
}
