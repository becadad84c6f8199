import type { Snapshot } from './domain/payment.ts'
import { openState, type Phase } from './domain/state.ts'
import type { Provider } from './ports.ts'

/**
 * Payment by bank transfer: a page of the shop says where to send the money, and people say what
 * arrived and what they sent back. Nobody else can be asked, so that reading tells nothing new.
 */
export function createBankTransfer(options: { publicUrl: string }): Provider {
  const base = options.publicUrl.replace(/\/+$/, '')
  const nothingNew = async () => told('open')
  return {
    createSession: async ({ id, orderId }) => ({
      id: `transfer_${id}`,
      url: `${base}/checkout/transfer?order=${orderId}`,
    }),
    read: nothingNew,
    expire: async () => told('ended'),
    // Money that arrives by transfer is never only held.
    capture: nothingNew,
    release: nothingNew,
    // It waits until somebody says that the money was sent.
    refund: async (_payment, { isRepeated: _, ...refund }) => ({
      ...refund,
      providerId: `transfer_${refund.id}`,
    }),
    listPayments: async () => ({ items: [], next: null }),
  }
}

function told(phase: Phase): Snapshot {
  return { state: { ...openState, phase }, amount: null, intentId: null }
}
