import { createHmac } from 'node:crypto'

/** The `Stripe-Signature` header of a body sent at this second; one `v1` for each active secret. */
export function signWebhook(body: string, secrets: readonly string[], atSeconds: number): string {
  const signatures = secrets.map((secret) => {
    const digest = createHmac('sha256', secret).update(`${atSeconds}.${body}`).digest('hex')
    return `v1=${digest}`
  })
  return [`t=${atSeconds}`, ...signatures].join(',')
}
