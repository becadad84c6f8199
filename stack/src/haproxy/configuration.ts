import { publicRoutes } from '@halles/contracts/gen/routing'
import { answerLines, refusals } from './answers.ts'
import { forwarding, strictness } from './rules.ts'
import {
  addressOf,
  nameOf,
  networkOf,
  pathOf,
  portOf,
  settingOf,
  type Value,
  variableOf,
} from './words.ts'

/** Where the gateways are: known one by one, or every address of a name. */
export type Gateways =
  | { kind: 'listed'; servers: readonly { name: string; host: string; port: number }[] }
  | { kind: 'named'; name: string; port: number; atMost: number }

export type HaproxySettings = {
  gateways: Gateways
  /** Where people come in without TLS. */
  http: { host: string; port: number }
  tls?: {
    host: string
    port: number
    /** File of the certificate, its chain and its key. */
    certificate: Value
    /** How long browsers insist on TLS. Never with a self-made certificate: it would lock them out. */
    hstsSeconds?: number | undefined
    /** Pages asked for without TLS are sent here; other requests are refused. */
    isRequired: boolean
  }
  /** A port on loopback by which HAProxy hands requests that change something to itself. */
  changesPort: number
  /** Health and Prometheus metrics of HAProxy itself. */
  metrics: { host: string; port: number }
  /** What its health answers: tells which configuration is in force. */
  revision: string
  /** Unix socket for operators (`show stat`), mode 600. */
  adminSocket?: string | undefined
  /** Who HAProxy becomes after it opened its ports; only root can. */
  dropTo?: { user: string; group: string; folder: string } | undefined
  /**
   * Networks of balancers in front that speak the PROXY protocol, listed or as words in a variable
   * of the environment, which may be missing.
   */
  proxyNetworks?: readonly string[] | { variable: string } | undefined
  limits: Limits
}

export type Limits = {
  /** Connections of clients, all together; each holds two buffers of 32 KB while it is used. */
  connections: number
  /** Connections of one address from outside this machine. Offices and schools share one. */
  connectionsPerSource: number
  /** Requests under way to one gateway; more of them wait here. */
  requestsPerGateway: number
  bodyBytes: number
  /** For the head of a request, and again for its body, up to a buffer of it. */
  requestMs: number
}

export const defaultLimits: Limits = {
  connections: 4_000,
  connectionsPerSource: 200,
  // Below the 1,024 sockets that a gateway allows.
  requestsPerGateway: 1_000,
  // The largest that a contract allows: an import of products.
  bodyBytes: 16 * 1024 * 1024,
  requestMs: 10_000,
}

/** The text of a haproxy.cfg for HAProxy 2.6 and later. Throws a RangeError on unusable values. */
export function haproxyConfiguration(settings: HaproxySettings): string {
  const sections = [
    ['global', globals(settings)],
    ['defaults', defaults(settings)],
    ['frontend shop', frontend(settings)],
    ['backend changes', changesBackend(settings)],
    ['frontend changes', changesFrontend(settings)],
    ['backend sources', ['stick-table type ipv6 size 100k expire 1m store conn_cur']],
    ...(settings.gateways.kind === 'named' ? [resolvers] : []),
    ['backend gateways', backend(settings)],
    ['frontend metrics', metrics(settings)],
  ] as const
  const texts = sections.map(([head, lines]) => `${head}\n${lines.map(indent).join('')}`)
  return `# Written by Halles from the topology: changes here are lost.\n${texts.join('\n')}`
}

const indent = (line: string) => `${line.startsWith('.') ? '' : '  '}${line}\n`

function globals({ adminSocket, dropTo, limits }: HaproxySettings): string[] {
  return [
    '# Requests that change something come through twice.',
    `maxconn ${2 * limits.connections}`,
    '# After a reload the old process ends its requests; an event stream must not keep it for ever.',
    'hard-stop-after 30s',
    'log stdout format raw local0',
    ...(adminSocket
      ? [`stats socket ${pathOf(adminSocket)} mode 600 level admin expose-fd listeners`]
      : []),
    ...(dropTo
      ? [
          `user ${nameOf(dropTo.user)}`,
          `group ${nameOf(dropTo.group)}`,
          `chroot ${pathOf(dropTo.folder)}`,
        ]
      : []),
    '# Room to read more than is let in, and to say so: what does not fit here gets a bare 400.',
    'tune.bufsize 32768',
    'tune.maxrewrite 1024',
    'tune.h2.max-concurrent-streams 100',
    'ssl-default-bind-options ssl-min-ver TLSv1.2 no-tls-tickets',
  ]
}

function defaults({ limits }: HaproxySettings): string[] {
  return [
    'mode http',
    'log global',
    '# Only what went wrong; neither path nor query, which may hold what lets in.',
    'option dontlog-normal',
    'option dontlognull',
    `log-format '${logFormat}'`,
    'timeout connect 1s',
    'timeout client 60s',
    '# Longer than the 15 s between heartbeats of an event stream.',
    'timeout server 60s',
    'timeout queue 5s',
    'timeout check 1s',
    '# The head of a request must have come by then.',
    `timeout http-request ${limits.requestMs}ms`,
    '# Less than the 65 s of a gateway: whoever closes second never sends into a closing socket.',
    'timeout http-keep-alive 30s',
    'option http-restrict-req-hdr-names reject',
    '# On a reload an idle client is told with its next answer instead of being cut off.',
    'option idle-close-on-response',
    ...answerLines(),
  ]
}

const logFormat = [
  '{"time":"%[date,utime("%Y-%m-%dT%H:%M:%SZ")]","level":"warn","service":"haproxy",',
  '"message":"A request ended with %ST (%tsc).","method":"%HM","status":%ST,"server":"%s",',
  '"retries":"%rc","queueMs":%Tw,"connectMs":%Tc,"responseMs":%Tr,"totalMs":%Ta}',
].join('')

function frontend({ http, tls, proxyNetworks, limits }: HaproxySettings): string[] {
  return [
    '# No HTTP/2 without TLS: it is one more way to say the same thing differently.',
    `bind ${addressOf(http.host)}:${portOf(http.port)} proto h1`,
    ...(tls ? secureBind(tls) : []),
    `maxconn ${limits.connections}`,
    ...expectProxy(proxyNetworks),
    'tcp-request session track-sc0 src table sources',
    `tcp-request session reject if { sc0_conn_cur(sources) gt ${limits.connectionsPerSource} } !{ src 127.0.0.0/8 ::1 }`,
    ...(tls?.isRequired ? requireTls(tls.port) : []),
    ...strictness(limits),
    ...forwarding,
    ...(tls?.hstsSeconds
      ? [
          `http-after-response set-header Strict-Transport-Security max-age=${tls.hstsSeconds} if { ssl_fc }`,
        ]
      : []),
    'http-response del-header Keep-Alive',
    'use_backend changes unless { method GET HEAD OPTIONS }',
    'default_backend gateways',
  ]
}

/**
 * When a gateway breaks off before its answer, HAProxy answers 502 to the first request of a
 * connection only. A later one is closed without a word, over HTTP/2 even refused as never seen,
 * which tells browsers to send it again. So a request that changes something goes through HAProxy
 * twice, and the second time it is the first of its connection.
 */
function changesBackend({ changesPort }: HaproxySettings): string[] {
  return [
    '# One request a connection: the frontend below answers the first one of each by 502 when a',
    '# gateway breaks off, any other by silence, upon which browsers would send it again.',
    'option httpclose',
    `server self 127.0.0.1:${portOf(changesPort)}`,
  ]
}

function changesFrontend({ changesPort, limits }: HaproxySettings): string[] {
  return [
    `bind 127.0.0.1:${portOf(changesPort)} proto h1`,
    `maxconn ${limits.connections}`,
    'default_backend gateways',
  ]
}

/** Lines that count only where the variable holds something. */
const where = (variable: string, lines: readonly string[]) => [
  `.if strneq("$${variableOf(variable)}","")`,
  ...lines,
  '.endif',
]

function secureBind({ host, port, certificate }: NonNullable<HaproxySettings['tls']>): string[] {
  const bind = `bind ${addressOf(host)}:${portOf(port)} ssl crt ${settingOf(certificate)} alpn h2,http/1.1`
  return typeof certificate === 'string' ? [bind] : where(certificate.variable, [bind])
}

function expectProxy(networks: HaproxySettings['proxyNetworks'] = []): string[] {
  const rule = (list: string) => `tcp-request connection expect-proxy layer4 if { src ${list} }`
  if ('variable' in networks) {
    return where(networks.variable, [rule(`"\${${networks.variable}[*]}"`)])
  }
  return networks.length === 0 ? [] : [rule(networks.map(networkOf).join(' '))]
}

function requireTls(port: number): string[] {
  const to = port === 443 ? '' : `:${port}`
  return [
    'acl is_plain ssl_fc,not',
    '# The sandbox of this machine posts its webhooks without TLS.',
    'acl is_near src 127.0.0.0/8 ::1',
    `http-request redirect location https://%[req.hdr(host),host_only]${to}%[pathq] code 308 if is_plain { method GET HEAD }`,
    `http-request return ${refusals.plain} if is_plain !is_near`,
  ]
}

/** Paths of event streams. A list of events, such as that of the provider's, is a read as any other. */
const streams = publicRoutes
  .filter(({ stream }) => stream)
  .map(({ path }) => `^${path.replaceAll(/\{\w+\}/g, '[^/]+')}$`)

function backend({ gateways, limits }: HaproxySettings): string[] {
  return [
    'balance leastconn',
    'http-reuse safe',
    'option redispatch 1',
    'retries 2',
    '# A connection that was refused carried nothing. What was sent is sent again only when it is safe.',
    'retry-on conn-failure empty-response response-timeout',
    'acl is_safe method GET HEAD OPTIONS',
    `acl is_stream path_reg ${streams.join(' ')}`,
    'http-request disable-l7-retry unless is_safe',
    '# A little more than a gateway takes to begin an answer: 12 s for a page or an export, 3 s for',
    '# another read. What stands still for longer is asked of another. Event streams take their time.',
    'http-request set-timeout server 15s if is_safe !is_stream',
    'http-request set-timeout server 5s if is_safe { path_beg /api/ } !is_stream !{ path_end /export }',
    'option httpchk',
    'http-check send meth GET uri /readyz ver HTTP/1.1 hdr Host haproxy',
    'http-check expect status 200',
    '# A gateway that is to stop answers 503 here: it gets nothing new, and ends what it has. One',
    '# that stood still turns requests away at first: three good answers, 0.2 s apart, let it in again.',
    `default-server check inter 500ms fastinter 200ms fall 2 rise 3 maxconn ${limits.requestsPerGateway}`,
    ...servers(gateways),
  ]
}

function servers(gateways: Gateways): string[] {
  if (gateways.kind === 'listed') {
    return gateways.servers.map(
      ({ name, host, port }) => `server ${nameOf(name)} ${addressOf(host)}:${portOf(port)}`,
    )
  }
  const { name, port, atMost } = gateways
  return [
    `server-template ${nameOf(name)}- 1-${atMost} ${addressOf(name)}:${portOf(port)} resolvers dns init-addr none`,
  ]
}

const resolvers = [
  'resolvers dns',
  [
    'parse-resolv-conf',
    '# A gateway that came or went is known after a second.',
    'hold valid 1s',
    'hold obsolete 2s',
    'timeout retry 1s',
  ],
] as const

function metrics({ metrics: { host, port }, revision }: HaproxySettings): string[] {
  return [
    `bind ${addressOf(host)}:${portOf(port)}`,
    'http-request use-service prometheus-exporter if { path /metrics }',
    `http-request return status 200 content-type text/plain string ${nameOf(revision)} if { path /readyz }`,
    'http-request return status 404',
  ]
}
