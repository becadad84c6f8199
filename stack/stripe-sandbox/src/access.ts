import { timingSafeEqual } from 'node:crypto'
import { apiVersion } from './api-version.ts'
import { invalid, unauthenticated } from './errors.ts'

/** Refuses a version that the sandbox would answer in the wrong shape. */
export function checkVersion(header: string | string[] | undefined): void {
  if (header === undefined || header === apiVersion) return
  throw invalid(`Invalid Stripe API version: the local sandbox speaks ${apiVersion} only.`)
}

export function singleHeader(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? header[0] : header
}

/** Throws ApiError when the key is missing or wrong. */
export function authorize(apiKey: string, header: string | undefined): void {
  const presented = presentedKey(header)
  if (presented === null) {
    throw unauthenticated(
      "You did not provide an API key. You need to provide your API key in the Authorization header, using Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY').",
    )
  }
  const given = Buffer.from(presented)
  const expected = Buffer.from(apiKey)
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) {
    throw unauthenticated('Invalid API Key provided.')
  }
}

function presentedKey(header: string | undefined): string | null {
  const [scheme = '', value = ''] = (header ?? '').split(' ')
  if (/^bearer$/i.test(scheme) && value !== '') return value
  if (!/^basic$/i.test(scheme)) return null
  return Buffer.from(value, 'base64').toString().split(':')[0] || null
}
