import { AppError } from '../../errors.ts'
import type { Logger } from '../../logging.ts'

/** The names of the protocol's errors in what was thrown, such as `NOT_COORDINATOR`. */
export function toProtocolErrors(error: unknown): string[] {
  if (typeof error !== 'object' || error === null) return []
  const {
    apiId,
    errors = [],
    cause,
  } = error as {
    apiId?: unknown
    errors?: unknown[]
    cause?: unknown
  }
  const own = typeof apiId === 'string' ? [apiId] : []
  return [...own, ...errors.flatMap(toProtocolErrors), ...toProtocolErrors(cause)]
}

/** The answer that came with an error of the protocol, for those that concern a part of it. */
export function toResponse<T>(error: unknown): T {
  const { response } = error as { response?: T }
  if (response === undefined) throw error
  return response
}

/** What is over soon: leaders and coordinators move, groups change. */
const passing = new Set([
  ...['NOT_LEADER_OR_FOLLOWER', 'LEADER_NOT_AVAILABLE', 'UNKNOWN_TOPIC_OR_PARTITION'],
  ...['NOT_COORDINATOR', 'COORDINATOR_NOT_AVAILABLE', 'COORDINATOR_LOAD_IN_PROGRESS'],
  ...['UNKNOWN_MEMBER_ID', 'ILLEGAL_GENERATION', 'REBALANCE_IN_PROGRESS', 'UNKNOWN_TOPIC_ID'],
])

/** A fault of a loop that goes on. The link has told about a broker that is away. */
export function logFault(logger: Logger, error: unknown, text: string): void {
  const isAway = error instanceof AppError && error.code === 'MESSAGES_UNAVAILABLE'
  const names = toProtocolErrors(error)
  const isPassing = isAway || names.some((name) => passing.has(name))
  logger[isPassing ? 'debug' : 'warn']({ err: error, kafkaErrors: names }, text)
}

/** What happened in the end, under the layers of the client library: a refused connection, say. */
export function toInnermostReason(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown'
  const { errors = [] } = error as { errors?: unknown[] }
  const inner = errors[0] ?? error.cause
  return inner instanceof Error ? toInnermostReason(inner) : error.message
}
