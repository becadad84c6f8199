import { randomUUID } from 'node:crypto'
import { data } from 'react-router'
import { refusalOf, textOf } from '../../server/form.server.ts'
import { attempt, type PageArgs } from '../../server/page.server.ts'
import { parseAmount } from './amount.ts'
import { idOf, isId, type Office, openOffice, stay, toDone } from './office.server.ts'
import { readPieces, readRefund } from './order-form.ts'

export async function loadOrder(args: PageArgs) {
  const { page, may } = await openOffice(args, ['orders:read'])
  const params = { orderId: idOf(args, 'orderId') }
  const [{ data: order }, timeline] = await Promise.all([
    page.call('getOrder', { params }),
    attempt(page.call('getOrderTimeline', { params })),
  ])
  return {
    order,
    timeline: timeline.data?.data.items ?? null,
    mayWrite: may('orders:write'),
    mayReadCustomers: may('customers:read'),
    /** A form that is sent twice is one fulfilment, or one refund. */
    key: randomUUID(),
  }
}

/** What staff do with an order; a refund first shows what it would be. */
export async function changeOrder(args: PageArgs) {
  const office = await openOffice(args, ['orders:write'])
  const orderId = idOf(args, 'orderId')
  const form = await args.request.formData()
  const intent = textOf(form, 'intent')
  try {
    const { data: order } = await office.page.call('getOrder', { params: { orderId } })
    if (intent === 'refund-check') {
      const refund = readRefund(form, order)
      if ('fault' in refund) return stay({ code: refund.fault, fields: [] })
      return { refund, key: randomUUID() }
    }
    const change = changes[intent]
    if (!change) return stay({ code: 'INVALID_REQUEST', fields: [] })
    const fault = await change(office, { orderId, order, form })
    if (fault) return stay({ code: fault, fields: [] })
  } catch (error) {
    return data({ refusal: refusalOf(error) }, { status: 422 })
  }
  return toDone(`/office/orders/${orderId}`, intent)
}

type Order = Awaited<ReturnType<typeof loadOrder>>['order']
type Change = { orderId: string; order: Order; form: FormData }

/** Each returns what is wrong with the form, if anything is. */
const changes: Record<string, (office: Office, change: Change) => Promise<string | undefined>> = {
  async fulfil({ page }, { orderId, order, form }) {
    const lines = readPieces(form, order.lines)
    if (lines.length === 0) return 'NOTHING_CHOSEN'
    const carrier = textOf(form, 'carrier')
    const trackingNumber = textOf(form, 'trackingNumber')
    await page.call('fulfilOrder', {
      params: { orderId },
      headers: { 'idempotency-key': textOf(form, 'key') },
      body: {
        lines,
        ...(carrier !== '' && { carrier }),
        ...(trackingNumber !== '' && { trackingNumber }),
      },
    })
    return undefined
  },
  async deliver({ page }, { orderId, form }) {
    const fulfilmentId = textOf(form, 'fulfilmentId')
    if (!isId(fulfilmentId)) return 'FULFILMENT_NOT_FOUND'
    await page.call('recordDelivery', { params: { orderId, fulfilmentId } })
    return undefined
  },
  async cancel({ page }, { orderId, form }) {
    const reason = textOf(form, 'reason').slice(0, 300)
    const body = reason === '' ? {} : { reason }
    await page.call('cancelOrder', { params: { orderId }, body })
    return undefined
  },
  async refund({ page }, { orderId, order, form }) {
    const refund = readRefund(form, order)
    if ('fault' in refund) return refund.fault
    const { lines, amount, isReturned, reason } = refund
    await page.call('refundOrder', {
      params: { orderId },
      headers: { 'idempotency-key': textOf(form, 'key') },
      body: {
        ...(lines.length > 0 && { lines }),
        ...{ amount, isReturned },
        ...(reason !== '' && { reason }),
      },
    })
    return undefined
  },
  async receipt({ page }, { orderId, order, form }) {
    const amount = parseAmount(textOf(form, 'amount'), order.total.currency)
    if (!amount) return 'NO_AMOUNT'
    const reference = textOf(form, 'reference').slice(0, 140)
    await page.call('recordReceipt', { params: { orderId }, body: { amount, reference } })
    return undefined
  },
  async sent({ page }, { form }) {
    const refundId = textOf(form, 'refundId')
    if (!isId(refundId)) return 'INVALID_REQUEST'
    await page.call('recordRefundSent', { params: { refundId } })
    return undefined
  },
}
