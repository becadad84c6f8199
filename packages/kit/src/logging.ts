import { type DestinationStream, type LogFn, type Logger, pino } from 'pino'
import { AppError } from './errors.ts'
import { currentTrace } from './trace.ts'

export type { Logger } from 'pino'

export type LoggerOptions = {
  service: string
  /** Distinguishes the replicas of a service. */
  instance: string
  level: string
  /** Where lines go; standard output when absent. */
  destination?: DestinationStream
  /** Told of each error and warning that is logged. */
  onProblem?: (problem: LogProblem) => void
}

/** An error or warning as it may be shown to operators: our own words and a code, no data. */
export type LogProblem = {
  at: string
  level: 'warn' | 'error' | 'fatal'
  code?: string
  message: string
}

const redacted = '[redacted]'

/** Names of fields whose values never reach a log, whatever object they sit in. */
const secretKey =
  /^(authorization|proxy-authorization|cookie|set-cookie|.*password(hash)?|.*token|.*secret|.*api-?key|card|card-?number|pan|cvc|cvv|expiry|.*signature|idempotency-key)$/i

/** Secrets inside free text: bearer and internal credentials, JWTs, URL passwords. */
const secretText =
  /\b(Bearer|Internal|Basic) [\w.~+/=-]{8,}|\beyJ[\w-]+\.[\w-]+\.[\w-]+|(?<=:\/\/[^:@/\s"]{0,64}):[^@/\s"]{1,256}(?=@)|\b(sk|rk|whsec)_\w{8,}|\$argon2\w+\$[\w$+=,/]+/g

// Deep enough for our own objects; what lies deeper is cut rather than walked.
const maxDepth = 6

/**
 * A JSON logger: one line per entry with service, instance and, while a request is served, its
 * trace. Secrets are removed by field name at any depth and by shape inside text.
 */
export function createLogger(options: LoggerOptions): Logger {
  const { service, instance, level, onProblem } = options
  const settings = {
    level,
    base: { service, instance },
    timestamp: pino.stdTimeFunctions.isoTime,
    messageKey: 'message',
    errorKey: 'error',
    mixin: traceFields,
    serializers: { error: describeError, err: describeError },
    formatters: {
      level: (label: string) => ({ level: label }),
      log: (fields: Record<string, unknown>) => redact(fields, 0) as Record<string, unknown>,
    },
    hooks: {
      streamWrite: (line: string) => line.replace(secretText, redacted),
      ...(onProblem && { logMethod: createProblemHook(onProblem) }),
    },
  }
  return options.destination ? pino(settings, options.destination) : pino(settings)
}

const problemLevels: Readonly<Record<number, LogProblem['level']>> = {
  40: 'warn',
  50: 'error',
  60: 'fatal',
}
// A code of ours, of PostgreSQL, or of Node: never a sentence.
const codePattern = /^[A-Z0-9][A-Z0-9_]{1,63}$/
const maxMessageLength = 200

function createProblemHook(onProblem: (problem: LogProblem) => void) {
  return function log(
    this: Logger,
    args: Parameters<LogFn>,
    method: LogFn,
    levelNumber: number,
  ): void {
    const level = problemLevels[levelNumber]
    if (level) {
      // The fields may hold anything; the text beside them is written in our sources.
      const [fields, text] = args as unknown[]
      const message = typeof fields === 'string' ? fields : text
      onProblem({
        at: new Date().toISOString(),
        level,
        ...codeOf(fields),
        message: typeof message === 'string' ? message.slice(0, maxMessageLength) : '',
      })
    }
    method.apply(this, args)
  }
}

function codeOf(fields: unknown): { code?: string } {
  if (typeof fields !== 'object' || fields === null) return {}
  const { code, error, err } = fields as Record<string, unknown>
  const holder = error ?? err
  const found = code ?? (holder instanceof Error && 'code' in holder ? holder.code : undefined)
  return typeof found === 'string' && codePattern.test(found) ? { code: found } : {}
}

function traceFields(): { traceId?: string; spanId?: string } {
  const trace = currentTrace()
  return trace === undefined ? {} : { traceId: trace.traceId, spanId: trace.spanId }
}

function redact(value: unknown, depth: number): unknown {
  if (typeof value !== 'object' || value === null || value instanceof Date) return value
  if (value instanceof Error) return describeError(value)
  if (Buffer.isBuffer(value)) return `[${value.length} bytes]`
  if (depth === maxDepth) return '[too deep]'
  if (Array.isArray(value)) return value.map((item) => redact(item, depth + 1))
  const copy: Record<string, unknown> = {}
  for (const [key, item] of Object.entries(value)) {
    copy[key] = secretKey.test(key) ? redacted : redact(item, depth + 1)
  }
  return copy
}

/**
 * Only these members of an error are logged: drivers attach rows, parameters and whole requests
 * to theirs.
 */
function describeError(error: unknown, depth = 0): unknown {
  if (!(error instanceof Error)) return redact(error, depth)
  return {
    type: error.name,
    message: error.message,
    ...(error instanceof AppError ? { kind: error.kind } : {}),
    ...('code' in error ? { code: error.code } : {}),
    stack: error.stack,
    // A chain longer than this repeats itself.
    ...(error.cause !== undefined && depth < 3
      ? { cause: describeError(error.cause, depth + 1) }
      : {}),
  }
}
