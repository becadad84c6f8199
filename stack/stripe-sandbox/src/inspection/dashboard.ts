import { cancellationReasons } from '../domain/payments.ts'
import { refundReasons } from '../domain/refunds.ts'
import type { FormObject } from '../form.ts'
import { type Parameters, readParameters } from '../parameters.ts'
import { disputeReasons } from '../shapes/disputes.ts'
import type { Cause, Deps } from '../use-cases/deps.ts'
import { createDispute, endDispute } from '../use-cases/disputes.ts'
import { cancelPayment, capturePayment, settleDebit } from '../use-cases/payments.ts'
import { createRefund, endRefund } from '../use-cases/refunds.ts'
import { expireSession } from '../use-cases/sessions.ts'

type Action = (deps: Deps, call: { id: string; form: Parameters }, cause: Cause) => object

const amountLimits = { min: 1, max: 99_999_999 }
const debitOutcomes = ['succeeded', 'failed'] as const
const verdicts = ['won', 'lost'] as const
const refundOutcomes = ['succeeded', 'failed', 'canceled'] as const

/** What people do at the provider, and what banks decide; each answers with the changed object. */
const actions: { [path: string]: Action } = {
  refunds: action(
    (form) => ({
      ...targetOf(form),
      amount: form.integer('amount', amountLimits),
      reason: form.oneOf('reason', refundReasons),
      metadata: form.metadata(),
      ending: form.oneOf('ending', ['succeeded', 'pending', 'fail']),
    }),
    createRefund,
  ),
  'refunds/settle': action((form, refundId) => {
    const outcome = form.required('outcome', form.oneOf('outcome', refundOutcomes))
    return { refundId, outcome }
  }, endRefund),
  'payment_intents/capture': action(
    (form, intentId) => ({ intentId, amount: form.integer('amount_to_capture', amountLimits) }),
    capturePayment,
  ),
  'payment_intents/cancel': action((form, intentId) => {
    const reasons = [...cancellationReasons, 'automatic'] as const
    return { intentId, reason: form.oneOf('cancellation_reason', reasons) }
  }, cancelPayment),
  'payment_intents/settle': action((form, intentId) => {
    const outcome = form.required('outcome', form.oneOf('outcome', debitOutcomes))
    return { intentId, outcome }
  }, settleDebit),
  disputes: action(
    (form) => ({
      ...targetOf(form),
      amount: form.integer('amount', amountLimits),
      reason: form.oneOf('reason', disputeReasons) ?? 'fraudulent',
      isInquiry: form.oneOf('inquiry', ['true', 'false']) === 'true',
    }),
    createDispute,
  ),
  'disputes/close': action((form, disputeId) => {
    const outcome = form.required('outcome', form.oneOf('outcome', verdicts))
    return { disputeId, outcome }
  }, endDispute),
  'sessions/expire': action((_, sessionId) => sessionId, expireSession),
}

function action<Request>(
  read: (form: Parameters, id: string) => Request,
  act: (deps: Deps, request: Request, cause: Cause) => object,
): Action {
  return (deps, { id, form }, cause) => {
    const request = read(form, id)
    form.finish()
    return act(deps, request, cause)
  }
}

function targetOf(form: Parameters) {
  return { intentId: form.text('payment_intent'), chargeId: form.text('charge') }
}

/** `refunds`, `refunds/re_1/settle` …; undefined when there is no such action. */
export function actInDashboard(
  deps: Deps,
  call: { path: string; form: FormObject },
  cause: Cause,
): object | undefined {
  const [noun, id = '', verb, ...excess] = call.path.split('/')
  const name = verb === undefined ? noun : `${noun}/${verb}`
  if (name === undefined || excess.length > 0 || !Object.hasOwn(actions, name)) return undefined
  if ((verb === undefined) !== (id === '')) return undefined
  return actions[name]?.(deps, { id, form: readParameters(call.form) }, cause)
}
