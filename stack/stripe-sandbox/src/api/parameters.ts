import { type CancellationReason, cancellationReasons } from '../domain/payments.ts'
import { refundReasons } from '../domain/refunds.ts'
import type { FormObject } from '../form.ts'
import { type Metadata, type Parameters, readParameters } from '../parameters.ts'
import { type EvidenceText, evidenceTexts } from '../shapes/disputes.ts'

const amountLimits = { min: 1, max: 99_999_999 }

export function parseRefund(form: FormObject) {
  return finished(form, (parameters) => ({
    intentId: parameters.text('payment_intent'),
    chargeId: parameters.text('charge'),
    amount: parameters.integer('amount', amountLimits),
    reason: parameters.oneOf('reason', refundReasons),
    metadata: parameters.metadata(),
  }))
}

export function parseCapture(form: FormObject): { amount: number | undefined } {
  return finished(form, (parameters) => ({
    amount: parameters.integer('amount_to_capture', amountLimits),
  }))
}

export function parseCancellation(form: FormObject): { reason: CancellationReason | undefined } {
  return finished(form, (parameters) => ({
    reason: parameters.oneOf('cancellation_reason', cancellationReasons),
  }))
}

export function parseMetadata(form: FormObject): { metadata: Metadata } {
  return finished(form, (parameters) => ({ metadata: parameters.metadata() }))
}

export function parseEvidence(form: FormObject) {
  return finished(form, (parameters) => {
    const given = parameters.nested('evidence')
    const evidence: { [name in EvidenceText]?: string } = {}
    for (const name of evidenceTexts) {
      const text = given.text(name, { maxLength: 20_000 })
      if (text !== undefined) evidence[name] = text
    }
    given.finish()
    // Evidence goes to the bank at once unless the caller says that it is a draft.
    const isSubmitted = parameters.oneOf('submit', ['true', 'false']) !== 'false'
    return { evidence, metadata: parameters.metadata(), isSubmitted }
  })
}

export function parseNothing(form: FormObject): void {
  finished(form, () => undefined)
}

function finished<T>(form: FormObject, read: (parameters: Parameters) => T): T {
  const parameters = readParameters(form)
  const result = read(parameters)
  parameters.group('expand')
  parameters.finish()
  return result
}
