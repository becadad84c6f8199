/** Requests that try the door, byte by byte, and what the gateway must make of each. */
export type DoorCase = {
  readonly what: string
  readonly parts: readonly string[]
  /** `served`: 2xx. Else the status, and nothing reaches a service. */
  readonly answer: 'served' | number
  readonly code?: string
  /** Whether the connection must be closed: where it is in doubt which request begins where. */
  readonly isClosed?: boolean
}

export const host = 'Host: shop.example\r\n'

export function get(target: string, headers = '', version = '1.1'): string {
  return `GET ${target} HTTP/${version}\r\n${host}${headers}\r\n`
}

/** A POST to a public route; the length is set unless the headers set the framing. */
export function post(body: string, headers = '', target = '/api/v1/carts'): string {
  const isFramed = /^(content-length|transfer-encoding)/im.test(headers)
  const length = isFramed ? '' : `Content-Length: ${Buffer.byteLength(body, 'latin1')}\r\n`
  return `POST ${target} HTTP/1.1\r\n${host}${length}${headers}\r\n${body}`
}

const chunked = (coding: string, body = '0\r\n\r\n') =>
  post(body, `Transfer-Encoding:${coding}\r\n`)
const products = '/api/v1/products'
const refused = (what: string, part: string, code = 'MALFORMED_HTTP'): DoorCase => ({
  what,
  parts: [part],
  answer: 400,
  code,
  isClosed: true,
})
const is = (
  what: string,
  part: string,
  rest: Pick<DoorCase, 'answer'> & Partial<DoorCase>,
): DoorCase => ({ what, parts: [part], ...rest })
const served = (what: string, part: string) => is(what, part, { answer: 'served' })

const lengths = [
  refused('two lengths that differ', post('{}', 'Content-Length: 2\r\nContent-Length: 3\r\n')),
  refused('the same length twice', post('{}', 'Content-Length: 2\r\nContent-Length: 2\r\n')),
  refused('a list of lengths', post('{}', 'Content-Length: 2, 2\r\n')),
  refused('a signed length', post('{}', 'Content-Length: +2\r\n')),
  refused('a negative length', post('{}', 'Content-Length: -2\r\n')),
  refused('a hexadecimal length', post('{}', 'Content-Length: 0x2\r\n')),
  refused('an empty length', post('', 'Content-Length:\r\n')),
  refused('a length beyond all numbers', post('', `Content-Length: ${'9'.repeat(25)}\r\n`)),
  refused(
    'a length and chunks',
    post('0\r\n\r\n', 'Content-Length: 5\r\nTransfer-Encoding: chunked\r\n'),
  ),
  refused(
    'chunks and a length',
    post('0\r\n\r\n', 'Transfer-Encoding: chunked\r\nContent-Length: 5\r\n'),
  ),
]

const codings = [
  served('chunks', chunked(' chunked', '2\r\n{}\r\n0\r\n\r\n')),
  served('chunks in capitals', chunked(' CHUNKED')),
  served('chunks after a tab, which is blank space as any other', chunked('\tchunked')),
  refused('chunked twice', chunked(' chunked\r\nTransfer-Encoding: chunked')),
  refused('a list of chunked and chunked', chunked(' chunked, chunked')),
  refused('xchunked', chunked(' xchunked')),
  refused('chunked and then identity', chunked(' chunked, identity')),
  refused('identity and then chunked', chunked(' identity, chunked')),
  refused('identity alone', chunked(' identity')),
  refused('gzip and then chunked', chunked(' gzip, chunked')),
  refused('a quoted coding', chunked(' "chunked"')),
  refused('an empty coding', chunked('')),
  refused('a vertical tab before the coding', chunked(' \x0bchunked')),
  refused('a coding with a parameter', chunked(' chunked;q=1')),
  refused('a coding folded over two lines', chunked('\r\n chunked')),
  refused('a space before the colon of the coding', post('', 'Transfer-Encoding : chunked\r\n')),
  refused('chunks in HTTP/1.0', chunked(' chunked').replace('HTTP/1.1', 'HTTP/1.0')),
]

const chunks = [
  ...['-1', 'zz', '0x2', ' 2', '2 ', '+2', '', 'f'.repeat(17), '2;a\n', '2\r'].map((size) =>
    refused(
      `a chunk size of ${JSON.stringify(size)}`,
      chunked(' chunked', `${size}\r\n{}\r\n0\r\n\r\n`),
    ),
  ),
  refused('a chunk size that ends with LF alone', chunked(' chunked', '2\n{}\r\n0\r\n\r\n')),
  refused('a chunk longer than its size', chunked(' chunked', '2\r\n{}x\r\n0\r\n\r\n')),
  refused('a chunk extension of 40 KB', chunked(' chunked', `2;a=${'b'.repeat(40_000)}\r\n`)),
  refused(
    'bytes after the last chunk that are no request',
    chunked(' chunked', '2\r\n{}\r\n0\r\n!\r\n'),
  ),
  served('a short chunk extension', chunked(' chunked', '2;a=b\r\n{}\r\n0\r\n\r\n')),
]

const heads = [
  refused('lines that end with LF alone', `GET ${products} HTTP/1.1\nHost: a\n\n`),
  refused(
    'a header that ends with LF alone',
    get(products, 'X: a\nTransfer-Encoding: chunked\r\n'),
  ),
  refused('CR inside a header', get(products, 'X: a\rY: b\r\n')),
  refused('a folded header', get(products, 'X: a\r\n b\r\n')),
  refused('a first header that begins with a space', `GET ${products} HTTP/1.1\r\n X: a\r\n\r\n`),
  refused('NUL in a header', get(products, 'X: a\0b\r\n')),
  refused('NUL in a header name', get(products, 'X\0: a\r\n')),
  refused('a space before a colon', get(products, 'X : a\r\n')),
  refused('parentheses in a header name', get(products, 'X(y): a\r\n')),
  refused('an empty header name', get(products, ': a\r\n')),
  refused('a header name beyond ASCII', get(products, 'X\xe9: a\r\n')),
  refused('a line without a colon', get(products, 'nonsense\r\n')),
  refused(
    'two hundred headers',
    get(products, Array.from({ length: 200 }, (_, n) => `X-${n}: a\r\n`).join('')),
    'TOO_MANY_HEADERS',
  ),
  ...[
    ['a header of 20 KB', get(products, `X: ${'a'.repeat(20_000)}\r\n`)],
    ['headers of 60 KB', get(products, `X: ${'a'.repeat(1_000)}\r\n`.repeat(60))],
    ['a request line of 1 MB', get(`/${'a'.repeat(1_000_000)}`)],
    ['a header name of 20 KB', get(products, `${'a'.repeat(20_000)}: b\r\n`)],
  ].map(([what = '', part = '']) =>
    is(what, part, { answer: 431, code: 'HEADERS_TOO_LARGE', isClosed: true }),
  ),
]

const versions = [
  refused('HTTP/0.9', `GET ${products}\r\n\r\n`),
  refused('HTTP/1.2', get(products, '', '1.2')),
  refused('a request line of HTTP/2', get(products, '', '2.0')),
  refused('the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
  refused('a TLS hello', '\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03'),
  ...[
    'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n',
    'Connection: Upgrade\r\nUpgrade: websocket\r\n',
  ].map((headers) =>
    is(`an upgrade that is not taken up (${headers.split('\r')[0]})`, get(products, headers), {
      answer: 'served',
      isClosed: true,
    }),
  ),
  served('HTTP/1.0 that wants to stay', get(products, 'Connection: keep-alive\r\n', '1.0')),
]

const notAllowed = { answer: 405, code: 'METHOD_NOT_ALLOWED', isClosed: true }
const methods = [
  is('CONNECT', `CONNECT inside.example:5432 HTTP/1.1\r\n${host}\r\n`, notAllowed),
  ...['TRACE', 'PROPFIND', 'PURGE', 'LINK', 'M-SEARCH'].map((method) =>
    is(method, get(products).replace('GET', method), notAllowed),
  ),
  is('TRACE of a page', get('/').replace('GET', 'TRACE'), notAllowed),
  refused('a method that nobody knows', get(products).replace('GET', 'FETCH')),
  refused('a method in small letters', get(products).replace('GET', 'get')),
  is('OPTIONS without an origin', get(products).replace('GET', 'OPTIONS'), {
    answer: 405,
    code: 'METHOD_NOT_ALLOWED',
  }),
]

const hosts = [
  refused('no Host', `GET ${products} HTTP/1.1\r\n\r\n`, 'INVALID_HOST'),
  refused('a Host twice', get(products, 'Host: shop.example\r\n'), 'REPEATED_HEADER'),
  refused('another Host', get(products, 'host: evil.example\r\n'), 'REPEATED_HEADER'),
  ...[
    '',
    'a b',
    '<script>',
    'user:word@shop',
    'shop:80:80',
    'shop:x',
    'shop/..',
    '[::1',
    'a,b',
    '-',
  ].map((name) =>
    refused(
      `the Host ${JSON.stringify(name)}`,
      `GET ${products} HTTP/1.1\r\nHost: ${name}\r\n\r\n`,
      'INVALID_HOST',
    ),
  ),
  ...['shop.example:8080', '127.0.0.1', '[::1]:80', 'SHOP', 'web_1', 'shop.example.'].map((name) =>
    served(`the Host ${name}`, `GET ${products} HTTP/1.1\r\nHost: ${name}\r\n\r\n`),
  ),
  served('no Host in HTTP/1.0', `GET ${products} HTTP/1.0\r\nConnection: keep-alive\r\n\r\n`),
]

const targets = [
  ...['shop.example:80', 'products', '?a=1'].map((target) =>
    refused(`the target ${target}`, get(target)),
  ),
  ...[
    ...['http://shop.example/api/v1/products', '*', '/api/v1/../internal/v1/policy'],
    ...['//api/v1/products', '/api//v1/products', '/api/./v1/products', '/api/v1/..'],
    ...['/api/v1/%2e%2e/internal', '/api/v1%2fproducts', '/api/v1/products%5c..', '/api/v1/a%00'],
    ...['/api/v1/products;jsessionid=1', '/api/v1/%252e%252e/a', '/api/v1\\products'],
    ...['/api/v1/products#x', '/api/v1/products?q=a#b', '/api/v1/%c0%ae%c0%ae/a', '/api/v1/%u002e'],
  ].map((target) => is(`the target ${target}`, get(target), { answer: 400, code: 'INVALID_PATH' })),
  refused('bytes beyond ASCII in the path', get('/api/v1/pr\xc3\xb6ducts')),
  refused('a blank in the query', get(`${products}?q=a b`)),
  refused('NUL in the path', get('/api/v1/a\0b')),
  is('internal routes', get('/internal/v1/policy'), { answer: 404, code: 'ROUTE_NOT_FOUND' }),
  is('a path that ends with dots', get('/api/v1/products...'), { answer: 404 }),
  is('a path with another case', get('/API/v1/products'), { answer: 404 }),
  is('ten thousand parameters', get(`${products}?${'a=1&'.repeat(3_000)}`), {
    answer: 413,
    code: 'TARGET_TOO_LONG',
  }),
  served('a parameter twice', get(`${products}?q=a&q=b`)),
  served('a prototype in the query', get(`${products}?__proto__[a]=1&constructor=2`)),
]

const bodies = [
  refused(
    'a GET with a body',
    get(products, 'Content-Length: 2\r\n').concat('{}'),
    'BODY_NOT_EXPECTED',
  ),
  refused(
    'a GET with chunks',
    get(products, 'Transfer-Encoding: chunked\r\n').concat('0\r\n\r\n'),
    'BODY_NOT_EXPECTED',
  ),
  ...['gzip', 'br', 'x-gzip', 'identity, gzip'].map((coding) =>
    is(`a body in ${coding}`, post('{}', `Content-Encoding: ${coding}\r\n`), {
      answer: 415,
      code: 'UNSUPPORTED_MEDIA_TYPE',
      isClosed: true,
    }),
  ),
  served('a body in identity', post('{}', 'Content-Encoding: identity\r\n')),
  is('a body over the limit with a length', post('x'.repeat(70_000)), {
    answer: 413,
    code: 'BODY_TOO_LARGE',
  }),
  is(
    'a body over the limit in chunks',
    chunked(' chunked', `${`8000\r\n${'x'.repeat(0x8000)}\r\n`.repeat(3)}0\r\n\r\n`),
    { answer: 413, code: 'BODY_TOO_LARGE' },
  ),
  is('a length of a terabyte', post('', 'Content-Length: 1099511627776\r\n'), {
    answer: 413,
    code: 'BODY_TOO_LARGE',
    isClosed: true,
  }),
]

const doubles = [
  ...['Authorization: Bearer a', 'Content-Type: application/json', 'Idempotency-Key: 12345678'].map(
    (line) =>
      refused(
        `two of ${line}`,
        post('{}', `${line}\r\n${line.toLowerCase()}x\r\n`),
        'REPEATED_HEADER',
      ),
  ),
  refused('two signatures', post('{}', 'Stripe-Signature: a\r\n'.repeat(2)), 'REPEATED_HEADER'),
]

const expectations: DoorCase[] = [
  {
    what: 'a body that waits to be asked for',
    parts: [post('', 'Expect: 100-continue\r\nContent-Length: 2\r\n'), '{}'],
    answer: 'served',
  },
  is('another expectation', post('{}', 'Expect: a-miracle\r\n'), {
    answer: 417,
    code: 'EXPECTATION_UNKNOWN',
    isClosed: true,
  }),
  is(
    'a body that waits, of a request that is refused',
    post('', 'Expect: 100-continue\r\nContent-Length: 2\r\n', '/api/v1/customers/me/erasure'),
    { answer: 401, isClosed: true },
  ),
]

export const doorCases: readonly DoorCase[] = [
  ...[lengths, codings, chunks, heads, versions, methods, hosts, targets, bodies, doubles].flat(),
  ...expectations,
]
