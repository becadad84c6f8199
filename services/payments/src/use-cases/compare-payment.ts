import { AppError } from '@halles/kit/errors'
import { toRefusal } from '../domain/events.ts'
import { aFinding, differences, type Finding, refusalFindings } from '../domain/findings.ts'
import { learn, type Payment, type Snapshot } from '../domain/payment.ts'
import { isDisputed, returnableMinor } from '../domain/state.ts'
import type { Deps } from '../ports.ts'
import { mustReferences } from './references.ts'
import { type Settled, settlePayment } from './settle-payment.ts'

export type Compared = { payment: Payment; isRepaired: boolean; findings: readonly Finding[] }

const cause = 'reconciliation'

/** Compares one payment with the provider and its order, and repairs what is safe. */
export async function comparePayment(
  deps: Deps,
  known: Payment,
  listed: Snapshot | null,
  isForced: boolean,
): Promise<Compared> {
  if (known.provider === 'bank-transfer') return compareTransfer(deps, known, isForced)
  const seen = listed ?? (await readOrMissing(deps, known))
  if (seen === null) {
    const detail = 'The provider knows no such payment.'
    const findings = [aFinding(known, 'order-without-payment', detail)]
    return { payment: known, isRepaired: false, findings }
  }
  const ended = await endForsaken(deps, known, seen)
  const settled = await settleOrFind(deps, known, { seen: ended, isForced })
  if ('findings' in settled) return settled
  const { payment } = settled
  const isRepaired = settled.outcome === 'applied' || payment.revision !== known.revision
  const findings = [
    ...(await confirmedDifferences(deps, payment, ended)),
    ...unreturned(payment, settled),
  ]
  return { payment, isRepaired, findings }
}

async function readOrMissing(deps: Deps, payment: Payment): Promise<Snapshot | null> {
  try {
    return await deps.providers[payment.provider].read(mustReferences(payment))
  } catch (error) {
    if (error instanceof AppError && error.code === 'PROVIDER_PAYMENT_MISSING') return null
    throw error
  }
}

/** A session that was to be ended, and is not: nobody may pay there any more. */
async function endForsaken(deps: Deps, payment: Payment, seen: Snapshot): Promise<Snapshot> {
  const isForsaken = payment.isClosed && payment.state.phase === 'ended'
  if (!isForsaken || seen.state.phase !== 'open') return seen
  return deps.providers[payment.provider].expire(mustReferences(payment))
}

async function settleOrFind(
  deps: Deps,
  known: Payment,
  { seen, isForced }: { seen: Snapshot | null; isForced: boolean },
): Promise<Settled | Compared> {
  try {
    return await settlePayment(deps, known, seen, { cause, isForced })
  } catch (error) {
    const refusal = toRefusal(error)
    if (!refusal) throw error
    const payment = (await deps.payments.findById(known.id)) ?? known
    const amounts = seen ? differences(payment, seen).filter(isOfAmounts) : []
    const findings = amounts.length > 0 ? amounts : refusalFindings(payment, refusal.code)
    return { payment, isRepaired: false, findings }
  }
}

const isOfAmounts = ({ kind }: Finding) => kind === 'amount-mismatch'

/** What differs is read once more: a notification may have come between the two looks. */
async function confirmedDifferences(
  deps: Deps,
  payment: Payment,
  seen: Snapshot,
): Promise<readonly Finding[]> {
  if (differences(payment, seen).length === 0) return []
  const newest = await readOrMissing(deps, payment)
  const updated = newest && (await deps.payments.update(payment, (each) => learn(each, newest)))
  return newest && updated ? differences(updated, newest) : []
}

/** Money of an order that cannot have it, and that does not go back by itself. */
function unreturned(payment: Payment, { settledRevision }: Settled): Finding[] {
  const isLeft = payment.state.phase === 'captured' && returnableMinor(payment.state) > 0
  if (settledRevision !== null || !isLeft || isDisputed(payment.state)) return []
  const detail = 'The money of a cancelled order could not be returned.'
  return [aFinding(payment, 'state-mismatch', detail)]
}

/** Nobody can be asked about a transfer, but orders must know of it and a person send refunds. */
async function compareTransfer(deps: Deps, known: Payment, isForced: boolean): Promise<Compared> {
  const settled = await settleOrFind(deps, known, { seen: null, isForced })
  if ('findings' in settled) return settled
  const { payment } = settled
  const findings = payment.state.refunds
    .filter(({ phase }) => phase === 'pending')
    .map(({ id, amountMinor }) => {
      const detail = `${amountMinor} (in minor units) of the refund ${id} are to be sent by hand.`
      return aFinding(payment, 'refund-to-send', detail)
    })
  return { payment, isRepaired: settled.outcome === 'applied', findings }
}
