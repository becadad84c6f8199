import { AppError, type ErrorKind, toProblem } from '@halles/kit/errors'

type Answer = { kind: ErrorKind; code: string; message: string; headers?: readonly string[] }

// A gateway is restarted within a second or two.
const retrySoon = ['Retry-After', '1']

/** What HAProxy answers by itself, by status; the bodies are the platform's problem documents. */
const answers: Readonly<Record<number, Answer>> = {
  400: { kind: 'invalid', code: 'MALFORMED_HTTP', message: 'The request is not valid HTTP.' },
  403: { kind: 'forbidden', code: 'REQUEST_REFUSED', message: 'This request is not let in.' },
  408: {
    kind: 'timeout',
    code: 'REQUEST_TOO_SLOW',
    message: 'The request arrived too slowly.',
  },
  413: { kind: 'too-large', code: 'BODY_TOO_LARGE', message: 'The body is too large.' },
  500: { kind: 'internal', code: 'EDGE_FAILED', message: 'The load balancer failed.' },
  502: {
    kind: 'unavailable',
    code: 'GATEWAY_FAILED',
    message: 'The connection was lost before the answer came. What was asked may have been done.',
  },
  503: {
    kind: 'unavailable',
    code: 'GATEWAY_UNAVAILABLE',
    message: 'No gateway takes requests now. Nothing was done.',
    headers: retrySoon,
  },
  504: {
    kind: 'timeout',
    code: 'GATEWAY_TIMEOUT',
    message: 'The answer took too long. What was asked may have been done.',
  },
}

const methodNotAllowed: Answer = {
  kind: 'not-allowed',
  code: 'METHOD_NOT_ALLOWED',
  message: 'Nothing here has this method.',
  headers: ['Allow', 'GET, HEAD, OPTIONS, POST, PUT, PATCH, DELETE'],
}

const headersTooLarge: Answer = {
  kind: 'too-large',
  code: 'HEADERS_TOO_LARGE',
  message: 'The headers are too large.',
}

const plainRefused: Answer = {
  kind: 'forbidden',
  code: 'HTTPS_REQUIRED',
  message: 'Send this over HTTPS; what was sent in the clear should be considered read.',
}

/** The lines that replace HAProxy's HTML pages. */
export function answerLines(): string[] {
  return Object.entries(answers).map(
    ([status, answer]) => `http-error status ${status} ${contentOf(answer, Number(status))}`,
  )
}

/** The arguments of `http-request return` for what is refused on purpose. */
export const refusals = {
  method: `status 405 ${contentOf(methodNotAllowed, 405)}`,
  headers: `status 431 ${contentOf(headersTooLarge, 431)}`,
  plain: `status 403 ${contentOf(plainRefused, 403)}`,
}

function contentOf({ kind, code, message, headers = [] }: Answer, status: number): string {
  const problem = { ...toProblem(new AppError(kind, code, message)), status }
  const more: string[] = []
  for (let index = 0; index < headers.length; index += 2) {
    more.push(`hdr ${headers[index]} '${headers[index + 1]}'`)
  }
  return [
    `content-type 'application/problem+json; charset=utf-8'`,
    `string '${JSON.stringify(problem)}' hdr Cache-Control no-store`,
    ...more,
  ].join(' ')
}
