import { AppError } from '@halles/kit/errors'
import { toRefusal } from '../domain/checkout.ts'

/**
 * Says what becomes of the request while payments cannot do it; what it refuses for good passes.
 * @throws unavailable `PAYMENTS_UNAVAILABLE`.
 */
export async function askPayments<T>(message: string, answer: Promise<T>): Promise<T> {
  try {
    return await answer
  } catch (error) {
    throw error instanceof AppError && !toRefusal(error)
      ? paymentsUnavailable(message, error)
      : error
  }
}

export function paymentsUnavailable(message: string, cause: AppError): AppError {
  return new AppError('unavailable', 'PAYMENTS_UNAVAILABLE', message, {
    details: { reason: cause.code },
    retryAfterSeconds: 5,
    cause,
  })
}
