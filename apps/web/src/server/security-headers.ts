/** Headers of every page. The nonce lets React Router's own inline scripts run and no others. */
export function securityHeaders(options: {
  nonce: string
  paymentOrigins: readonly string[]
  isSecure: boolean
  /** What a development server needs besides. */
  more?: Readonly<Record<string, string>>
}): Record<string, string> {
  const { nonce, paymentOrigins, isSecure, more = {} } = options
  const directives: Record<string, string> = {
    'default-src': "'none'",
    'script-src': `'self' 'nonce-${nonce}'`,
    'style-src': "'self'",
    // A catalogue's pictures may lie elsewhere; they are fetched without a referrer.
    'img-src': "'self' data: https:",
    'connect-src': "'self'",
    'manifest-src': "'self'",
    // Browsers apply it to redirects after a form too: placing an order ends at the provider's page.
    'form-action': ["'self'", ...paymentOrigins].join(' '),
    'frame-ancestors': "'none'",
    'base-uri': "'none'",
  }
  for (const [name, value] of Object.entries(more)) {
    directives[name] = `${directives[name] ?? ''} ${value}`.trim()
  }
  return {
    'content-security-policy': Object.entries(directives)
      .map(([name, value]) => `${name} ${value}`)
      .join('; '),
    'x-content-type-options': 'nosniff',
    'x-frame-options': 'DENY',
    'referrer-policy': 'strict-origin-when-cross-origin',
    'cross-origin-opener-policy': 'same-origin',
    'cross-origin-resource-policy': 'same-origin',
    'permissions-policy': 'camera=(), microphone=(), geolocation=(), browsing-topics=()',
    ...(isSecure ? { 'strict-transport-security': 'max-age=31536000' } : {}),
  }
}
