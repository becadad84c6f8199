import { AppError } from './errors.ts'

const replyMark: unique symbol = Symbol('reply')
const streamMark: unique symbol = Symbol('event stream')

/** A body with a status or headers of its own. */
export type Reply<Body = unknown> = {
  readonly [replyMark]: true
  readonly body: Body
  readonly status: number | undefined
  readonly headers: Readonly<Record<string, string>>
}

/** One server-sent event; `data` is written as JSON. */
export type ServerEvent = { readonly event: string; readonly data: unknown; readonly id?: string }

/** Events to be written as `text/event-stream` until they end or the client goes away. */
export type EventStream = {
  readonly [streamMark]: true
  readonly events: AsyncIterable<ServerEvent>
}

/**
 * Answers with another status than the contract's first 2xx, or with headers (`ETag`, `Location`).
 * A text or Buffer body with a `content-type` header is sent as it is.
 */
export function reply<Body>(
  body: Body,
  options: { status?: number; headers?: Readonly<Record<string, string>> } = {},
): Reply<Body> {
  return { [replyMark]: true, body, status: options.status, headers: options.headers ?? {} }
}

/** Answers with server-sent events. The iterable should end when `request.signal` is aborted. */
export function eventStream(events: AsyncIterable<ServerEvent>): EventStream {
  return { [streamMark]: true, events }
}

export function isReply(value: unknown): value is Reply {
  return typeof value === 'object' && value !== null && replyMark in value
}

export function isEventStream(value: unknown): value is EventStream {
  return typeof value === 'object' && value !== null && streamMark in value
}

/** The strong entity tag of a version: `"7"`. */
export function versionEtag(version: number): string {
  return `"${version}"`
}

/**
 * The version that an `If-Match` header names. A cache may have weakened the tag, which does not
 * change the version it carries.
 * @throws precondition-required `IF_MATCH_REQUIRED` without it, invalid when it is no tag of ours.
 */
export function versionFromIfMatch(header: string | undefined): number {
  if (header === undefined) {
    throw new AppError(
      'precondition-required',
      'IF_MATCH_REQUIRED',
      'Send the ETag that you last read as If-Match, so that no other change is lost.',
      { errors: [{ pointer: '/headers/if-match', detail: 'is missing' }] },
    )
  }
  const match = /^(?:W\/)?"(\d{1,15})"$/.exec(header.trim())
  if (!match) {
    throw new AppError('invalid', 'INVALID_REQUEST', 'The If-Match header is not a known ETag.', {
      errors: [{ pointer: '/headers/if-match', detail: 'must be an ETag such as "7"' }],
    })
  }
  return Number(match[1])
}
