import { ApiError } from '../errors.ts'
import { keyInUse } from '../idempotency.ts'
import type { ApiFault } from './registry.ts'

/** What happens to a call before anything is done; throws what the caller gets instead. */
export function failBefore(fault: ApiFault, key: string | undefined): void {
  const headers = headersOf(fault)
  switch (fault.kind) {
    case 'error_before':
      throw serverError(fault)
    case 'rate_limit': {
      const message =
        'Request rate limit exceeded. You can learn more about rate limits here https://stripe.com/docs/rate-limits.'
      const body = { type: 'invalid_request_error', code: 'rate_limit', message } as const
      throw new ApiError(429, body, {
        headers: { 'stripe-rate-limited-reason': 'global-rate', ...headers },
      })
    }
    case 'lock_timeout': {
      const message =
        'This object cannot be accessed right now because another API request or Stripe process is currently accessing it. If you see this error intermittently, retry the request. If you see this error frequently and are making multiple concurrent requests to a single object, make your requests serially or at a lower rate.'
      const body = { type: 'invalid_request_error', code: 'lock_timeout', message } as const
      // Stripe asks for a retry of its own: nothing was done.
      throw new ApiError(429, body, { headers: { 'stripe-should-retry': 'true', ...headers } })
    }
    case 'idempotency_in_use': {
      const { status, body } = keyInUse(key ?? 'none')
      throw new ApiError(status, body, { headers })
    }
    case 'decline': {
      const body = {
        type: 'card_error',
        code: 'card_declined',
        decline_code: 'generic_decline',
        message: 'Your card was declined.',
      } as const
      throw new ApiError(402, body, { isKept: true, headers })
    }
  }
}

/** A failure that comes after the work was done; a sticky one is what every repetition gets. */
export function failAfter(fault: ApiFault): void {
  if (fault.kind === 'error_after') throw serverError(fault)
}

/** Stripe remembers a failure of its own under the key too, and says that a retry is in vain. */
export function stickyError(fault: ApiFault): ApiError {
  const { status, body } = serverError(fault)
  const headers = { 'stripe-should-retry': 'false', ...headersOf(fault) }
  return new ApiError(status, body, { isKept: true, headers })
}

function serverError(fault: ApiFault): ApiError {
  const message = 'An unexpected error occurred. It has been switched on in the local sandbox.'
  const body = { type: 'api_error', message } as const
  return new ApiError(fault.status, body, { headers: headersOf(fault) })
}

function headersOf({ shouldRetry, retryAfterSeconds }: ApiFault): { [name: string]: string } {
  return {
    ...(shouldRetry === null ? {} : { 'stripe-should-retry': String(shouldRetry) }),
    ...(retryAfterSeconds === null ? {} : { 'retry-after': String(retryAfterSeconds) }),
  }
}
