import { type Answer, readAnswer, toOwnError } from './answer.ts'
import { type Connection, send } from './call.ts'
import { HallesError, ownCodes } from './errors.ts'
import { readEvents, type ServerEvent } from './events.ts'
import { type Operations, routes } from './gen/operations.ts'
import {
  type AnyInput,
  type CallOptions,
  type OperationName,
  prepare,
  type Route,
} from './request.ts'
import { createBudget } from './retry.ts'
import { createSession } from './session.ts'

export type { Answer } from './answer.ts'
export {
  type FieldProblem,
  HallesError,
  isHallesError,
  isTemporary,
  ownCodes,
} from './errors.ts'
export type { ServerEvent } from './events.ts'
export type * from './gen/operations.ts'
export type { CallOptions, OperationName } from './request.ts'

export type ClientOptions = {
  /** Where the shop is, `https://shop.example`; in a browser the page's own origin when left out. */
  baseUrl?: string
  /** An access token, from `signIn`; see {@link Halles.useToken}. */
  token?: string | undefined
  /**
   * Asked once when a token is refused, however many calls wait; the call goes on with the token
   * that it resolves with. Undefined lets the calls fail.
   */
  onExpired?: () => Promise<string | undefined>
  /** Milliseconds that a call may take with all its repetitions. Default 30 s. */
  deadlineMs?: number
  /** How often a call that may be repeated is sent. Default 4. */
  tries?: number
  /** Instead of the global one: for tests, or to pass by a proxy. */
  fetch?: typeof fetch
}

/** What an operation is told: the contract's input and what every call may be told. */
export type Input<Name extends OperationName> = Operations[Name]['input'] &
  CallOptions &
  (Operations[Name] extends { reply: infer Reply }
    ? {
        /** An earlier answer: when it is still good, it comes again and nothing else is sent. */
        known?: Answer<Reply> | undefined
      }
    : unknown)

/** The first page when it is awaited; the items of all pages when it is iterated. */
export type Paged<Page, Item> = Promise<Answer<Page>> & AsyncIterable<Item>

export type Result<Name extends OperationName> = Operations[Name] extends { events: infer Events }
  ? AsyncGenerator<ServerEvent<Events>>
  : Operations[Name] extends { reply: infer Page; item: infer Item }
    ? Paged<Page, Item>
    : Operations[Name] extends { reply: infer Reply }
      ? Promise<Answer<Reply>>
      : never

/** One method for each operation of the public API, by its name in the OpenAPI document. */
export type Halles = {
  readonly [Name in OperationName]: object extends Input<Name>
    ? (input?: Input<Name>) => Result<Name>
    : (input: Input<Name>) => Result<Name>
} & {
  /** The token of the calls from now on; undefined to go on as a guest. */
  useToken(token: string | undefined): void
}

/** A client of the public API. It opens nothing and needs no end. */
export function createClient(options: ClientOptions = {}): Halles {
  const { baseUrl = '', token, onExpired, deadlineMs = 30_000, tries = 4 } = options
  const session = createSession(token, onExpired)
  const connection: Connection = {
    // As a method of the options it would lose its `this`, which browsers insist on.
    fetch: options.fetch ?? ((input, init) => fetch(input, init)),
    ...{ deadlineMs, tries, session, budget: createBudget() },
  }
  const context = { connection, base: baseUrl.replace(/\/+$/, '') }
  const methods: Record<string, unknown> = { useToken: session.use }
  for (const name of Object.keys(routes) as OperationName[]) {
    const route: Route = routes[name]
    const call = { ...context, name, route }
    if (route.answer === 'events') methods[name] = (input: AnyInput = {}) => stream(call, input)
    else if (route.isPaged) methods[name] = (input: AnyInput = {}) => paged(call, input)
    else methods[name] = (input: AnyInput = {}) => once(call, input)
  }
  return methods as unknown as Halles
}

type Call = { connection: Connection; base: string; name: OperationName; route: Route }

async function once({ connection, base, name, route }: Call, input: AnyInput) {
  const prepared = prepare(base, name, { route, input })
  const read = (response: Response) => readAnswer(response, prepared, input)
  return send(connection, prepared, { input, read })
}

type Page = { items: readonly unknown[]; nextCursor: string | null }

function paged(call: Call, input: AnyInput): Paged<Page, unknown> {
  const first = once(call, input) as Promise<Answer<Page>>
  // Who iterates waits for it below; who does neither has not asked for its failure.
  first.catch(() => undefined)
  return Object.assign(first, {
    async *[Symbol.asyncIterator]() {
      for (let page = await first; ; ) {
        yield* page.data.items
        const cursor = page.data.nextCursor
        if (cursor === null) return
        const { known: _known, ...rest } = input
        const query = { ...input.query, cursor }
        page = (await once(call, { ...rest, query })) as Answer<Page>
      }
    },
  })
}

async function* stream({ connection, base, name, route }: Call, input: AnyInput) {
  const prepared = prepare(base, name, { route, input })
  const body = await send(connection, prepared, {
    input,
    read: async (response) => response.body,
  })
  if (body === null) throw toOwnError(prepared, ownCodes.unknownAnswer)
  try {
    yield* readEvents(body)
  } catch (error) {
    if (input.signal?.aborted) throw input.signal.reason
    if (error instanceof HallesError) throw error
    throw toOwnError(prepared, ownCodes.noAnswer, { cause: error })
  }
}
