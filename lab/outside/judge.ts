import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'

/** A check of Schemathesis that failed, and what was answered. */
export type Failure = {
  /** `POST /api/v1/carts`. */
  operation: string
  check: string
  /** What was called. */
  call: string
  status: number | undefined
  /** Of the problem document; empty without one. */
  code: string
  pointers: readonly string[]
  answer: string
}

export type Verdict = {
  calls: number
  /** How often each status was answered. */
  statuses: Readonly<Record<string, number>>
  /** What is to be mended. */
  faults: readonly Failure[]
  /** How many failures fall under each rule of {@link rules}. */
  ruled: Readonly<Record<string, number>>
}

type Rule = {
  why: string
  check: string
  operation?: RegExp
  code?: string
  /** Each of the problem's pointers is one of these. */
  pointer?: RegExp
}

const refusedThoughValid = 'positive_data_acceptance'

/**
 * What Schemathesis calls a failure and is meant so. Only for what a schema cannot say: never for a
 * server error, nor for an answer that is not as its schema.
 */
export const rules: readonly Rule[] = [
  {
    why: 'a cursor is one that a page of the same list gave',
    check: refusedThoughValid,
    pointer: /\/cursor$/,
  },
  {
    why: 'the end of a period lies after its beginning, and not too far',
    check: refusedThoughValid,
    pointer: /^\/(query|body)\/(from|to|failedBefore|failedAfter)$/,
  },
  {
    why: 'a signature is made with the secret that the provider shares',
    check: refusedThoughValid,
    code: 'INVALID_SIGNATURE',
  },
  {
    why: 'variants of a product differ, and each has a value for each option',
    check: refusedThoughValid,
    pointer: /^\/body\/(variants\/\d+\/(sku|optionValues)|options(\/\d+)?)$/,
  },
  {
    why: 'prices are changed as a dry run showed them before',
    check: refusedThoughValid,
    pointer: /^\/body\/fingerprint$/,
  },
  {
    why: 'a key stands for one request: another one with it is refused',
    check: refusedThoughValid,
    code: 'IDEMPOTENCY_KEY_REUSED',
  },
  {
    why: 'who is not signed in says where the order’s mail goes',
    check: refusedThoughValid,
    operation: /^POST \/api\/v1\/orders$/,
    pointer: /^\/body\/email$/,
  },
  {
    why: 'what was read before has changed meanwhile',
    check: refusedThoughValid,
    code: 'VERSION_MISMATCH',
  },
  {
    why: 'all prices of a product are in one currency',
    check: refusedThoughValid,
    code: 'CURRENCY_MISMATCH',
  },
  {
    why: 'an action has the figure that belongs to it alone',
    check: refusedThoughValid,
    operation: /\/actions$/,
    pointer: /^\/body\/slowMs$/,
  },
  {
    why: 'Schemathesis sends an entity tag without its quotation marks',
    check: refusedThoughValid,
    pointer: /^\/headers\/if-match$/,
  },
  {
    why: 'the door refuses a body with GET before it looks where it goes',
    check: 'unsupported_method',
    code: 'BODY_NOT_EXPECTED',
  },
  {
    why: 'a fixed path is also somebody’s name or id, which has other methods',
    check: 'unsupported_method',
    operation: /^POST \/api\/v1\/sessions\/refresh$/,
    code: 'AUTHENTICATION_REQUIRED',
  },
  {
    why: 'a fixed path is also somebody’s name or id, which has other methods',
    check: 'allow_header_conformance',
    operation: /^POST \/api\/v1\/products\/imports$/,
    code: 'METHOD_NOT_ALLOWED',
  },
  {
    why: 'whatever is sent as text/csv is text; what is wrong in it, the import reports',
    check: 'negative_data_rejection',
    operation: /^POST \/api\/v1\/products\/imports$/,
  },
  {
    why: 'an address that is too long is refused before its query is read',
    check: 'negative_data_rejection',
    code: 'TARGET_TOO_LONG',
  },
]

/** Whether it is meant so. */
export function ruleFor(failure: Failure): Rule | undefined {
  return rules.find(
    ({ check, operation, code, pointer }) =>
      check === failure.check &&
      (failure.status ?? 500) < 500 &&
      (operation === undefined || operation.test(failure.operation)) &&
      (code === undefined || code === failure.code) &&
      (pointer === undefined ||
        (failure.pointers.length > 0 && failure.pointers.every((each) => pointer.test(each)))),
  )
}

type Interaction = {
  request: { method: string; uri: string }
  response: { status_code: number; content?: { $base64: string } | null } | null
}

type Scenario = {
  ScenarioFinished?: {
    recorder: {
      label: string
      checks?: Record<string, { name: string; status: string }[]>
      interactions?: Record<string, Interaction>
    }
  }
}

/** Reads the events of a run, a line of JSON each. */
export async function judge(file: string): Promise<Verdict> {
  let calls = 0
  const statuses: Record<string, number> = {}
  const ruled: Record<string, number> = {}
  const faults: Failure[] = []
  for await (const line of createInterface({ input: createReadStream(file) })) {
    const recorder = (JSON.parse(line) as Scenario).ScenarioFinished?.recorder
    if (!recorder) continue
    const { label, checks = {}, interactions = {} } = recorder
    for (const { response } of Object.values(interactions)) {
      const status = response === null ? 'none' : String(response.status_code)
      calls += 1
      statuses[status] = (statuses[status] ?? 0) + 1
    }
    for (const [id, results] of Object.entries(checks)) {
      for (const { name, status } of results) {
        if (status === 'success') continue
        const failure = toFailure(label, name, interactions[id])
        const rule = ruleFor(failure)
        if (rule) ruled[rule.why] = (ruled[rule.why] ?? 0) + 1
        else faults.push(failure)
      }
    }
  }
  return { calls, statuses, faults, ruled }
}

// Enough to see what is wrong, little enough to read.
const shownAnswer = 600

function toFailure(operation: string, check: string, seen: Interaction | undefined): Failure {
  const text = Buffer.from(seen?.response?.content?.$base64 ?? '', 'base64').toString()
  const { code = '', errors = [] } = toProblem(text)
  return {
    ...{ operation, check, code },
    call: seen ? `${seen.request.method} ${seen.request.uri}`.slice(0, 300) : '',
    status: seen?.response?.status_code,
    pointers: errors.map(({ pointer }) => pointer),
    answer: text.slice(0, shownAnswer),
  }
}

function toProblem(text: string): { code?: string; errors?: { pointer: string }[] } {
  try {
    return (JSON.parse(text) ?? {}) as { code?: string }
  } catch (error) {
    // Not every answer is JSON.
    if (error instanceof SyntaxError) return {}
    throw error
  }
}
