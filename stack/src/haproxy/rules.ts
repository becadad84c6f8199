import { refusals } from './answers.ts'

/** Turns away what could be read in two ways, and what is too much. */
export function strictness({ bodyBytes, requestMs }: { bodyBytes: number; requestMs: number }) {
  return [
    `http-request return ${refusals.method} unless { method GET HEAD OPTIONS POST PUT PATCH DELETE }`,
    'http-request deny deny_status 400 unless { req.hdr_cnt(host) eq 1 }',
    '# Paths that the next reader might read differently: none of ours looks like this.',
    `http-request deny deny_status 400 if { path_reg -i '//|\\\\|#|(^|/)\\.{1,2}(/|;|$)|%(00|23|25|2e|2f|5c)' }`,
    '# HAProxy takes these off a message before the next hop where it understands them; nobody else does.',
    ...[
      'Connection',
      'Keep-Alive',
      'Proxy-Connection',
      'Upgrade',
      'HTTP2-Settings',
      'TE',
      'Proxy',
    ].map((name) => `http-request del-header ${name}`),
    '# Together less than the 16 KB that a gateway reads.',
    `http-request return ${refusals.headers} if { req.hdrs,length gt 11000 }`,
    `http-request return ${refusals.headers} if { url,length gt 4096 }`,
    `http-request deny deny_status 413 if { req.body_size gt ${bodyBytes} }`,
    '# A gateway sees a request when most have come in whole: a slow sender holds nothing but this.',
    `http-request wait-for-body time ${requestMs}ms if { method POST PUT PATCH DELETE }`,
  ]
}

/** Says who the client is, in place of what it says of itself. */
export const forwarding = [
  '# Whoever is outside may claim anything: a gateway believes this process alone.',
  'http-request del-header X-Forwarded- -m beg',
  ...['Forwarded', 'X-Real-IP', 'X-Client-IP', 'True-Client-IP', 'X-Original-URL'].map(
    (name) => `http-request del-header ${name}`,
  ),
  'http-request set-header X-Forwarded-For %[src]',
  'http-request set-header X-Forwarded-Proto http',
  'http-request set-header X-Forwarded-Proto https if { ssl_fc }',
]
