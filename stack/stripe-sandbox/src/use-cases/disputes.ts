import { type Answer, closeDispute, openDispute, updateDispute } from '../domain/disputes.ts'
import type { Dispute, DisputeReason } from '../shapes/disputes.ts'
import { type Cause, type Deps, momentOf } from './deps.ts'
import { mustFind } from './find.ts'
import { paymentOf, type Target } from './refunds.ts'
import { save } from './save.ts'

export type DisputeRequest = Target & {
  reason: DisputeReason
  isInquiry: boolean
  amount: number | undefined
}

export function createDispute(deps: Deps, request: DisputeRequest, cause: Cause): Dispute {
  return save(deps, openDispute(paymentOf(deps, request), request, momentOf(deps)), cause)
}

export function answerDispute(
  deps: Deps,
  request: Answer & { disputeId: string },
  cause: Cause,
): Dispute {
  return save(deps, updateDispute(find(deps, request.disputeId), request), cause)
}

export function endDispute(
  deps: Deps,
  request: { disputeId: string; outcome: 'won' | 'lost' },
  cause: Cause,
): Dispute {
  const dispute = find(deps, request.disputeId)
  return save(deps, closeDispute(dispute, request.outcome, momentOf(deps)), cause)
}

function find(deps: Deps, id: string): Dispute {
  return mustFind<Dispute>(deps, 'dispute', { id, param: 'dispute' })
}
