import { Metadata, status } from '@grpc/grpc-js'
import { AppError, type ErrorKind, errorTable, type FieldError } from './errors.ts'

/**
 * An {@link AppError} across gRPC: google.rpc.Status with google.rpc.ErrorInfo in the trailer
 * `grpc-status-details-bin`. The two messages have three fields each, so their wire format is
 * written out here instead of loading descriptors.
 */
export const detailsTrailer = 'grpc-status-details-bin'
const errorInfoType = 'type.googleapis.com/google.rpc.ErrorInfo'
const domain = 'halles'

type ErrorInfo = { reason: string; domain: string; metadata: Record<string, string> }

/** The status to send for anything thrown; what is no AppError says nothing of itself. */
export function toGrpcStatus(error: unknown): {
  code: number
  details: string
  metadata: Metadata
} {
  const known =
    error instanceof AppError
      ? error
      : new AppError('internal', 'INTERNAL', 'Something went wrong on our side.')
  const code = errorTable[known.kind].grpc
  const metadata = new Metadata()
  const info = encodeErrorInfo({
    reason: known.code,
    domain,
    metadata: {
      kind: known.kind,
      ...(Object.keys(known.details).length > 0 ? { details: JSON.stringify(known.details) } : {}),
      ...(known.errors.length > 0 ? { errors: JSON.stringify(known.errors) } : {}),
      ...(known.retryAfterSeconds === undefined
        ? {}
        : { retryAfterSeconds: String(known.retryAfterSeconds) }),
    },
  })
  metadata.set(detailsTrailer, encodeStatus(code, known.message, info))
  return { code, details: known.message, metadata }
}

/** The AppError that a peer of ours sent; undefined when the status is not one of those. */
export function fromGrpcStatus(received: {
  details: string
  metadata?: Metadata
}): AppError | undefined {
  const [trailer] = received.metadata?.get(detailsTrailer) ?? []
  if (!Buffer.isBuffer(trailer)) return undefined
  const info = decodeErrorInfo(trailer)
  if (info?.domain !== domain) return undefined
  const { kind = '', details, errors, retryAfterSeconds } = info.metadata
  if (!isKind(kind)) return undefined
  try {
    return new AppError(kind, info.reason, received.details, {
      ...(details ? { details: JSON.parse(details) as Record<string, unknown> } : {}),
      ...(errors ? { errors: JSON.parse(errors) as FieldError[] } : {}),
      ...(retryAfterSeconds ? { retryAfterSeconds: Number(retryAfterSeconds) } : {}),
    })
  } catch (cause) {
    // Code and kind still hold when what goes with them arrives damaged.
    return new AppError(kind, info.reason, received.details, { cause })
  }
}

/** The name of a status code, for metrics and logs. */
export function statusName(code: number): string {
  return status[code] ?? 'UNKNOWN'
}

function isKind(kind: string): kind is ErrorKind {
  return Object.hasOwn(errorTable, kind)
}

function encodeStatus(code: number, message: string, info: Buffer): Buffer {
  const any = Buffer.concat([lengthField(1, errorInfoType), lengthField(2, info)])
  return Buffer.concat([
    Buffer.from([1 << 3]),
    varint(code),
    lengthField(2, message),
    lengthField(3, any),
  ])
}

function encodeErrorInfo(info: ErrorInfo): Buffer {
  const entries = Object.entries(info.metadata).map(([key, value]) =>
    lengthField(3, Buffer.concat([lengthField(1, key), lengthField(2, value)])),
  )
  return Buffer.concat([lengthField(1, info.reason), lengthField(2, info.domain), ...entries])
}

function lengthField(field: number, value: string | Buffer): Buffer {
  const bytes = typeof value === 'string' ? Buffer.from(value, 'utf8') : value
  return Buffer.concat([Buffer.from([(field << 3) | 2]), varint(bytes.length), bytes])
}

function varint(value: number): Buffer {
  const bytes: number[] = []
  let rest = value
  while (rest > 0x7f) {
    bytes.push((rest & 0x7f) | 0x80)
    rest >>>= 7
  }
  bytes.push(rest)
  return Buffer.from(bytes)
}

function decodeErrorInfo(bytes: Buffer): ErrorInfo | undefined {
  for (const any of lengthFields(bytes).filter(({ field }) => field === 3)) {
    const parts = lengthFields(any.value)
    if (textOf(parts, 1) !== errorInfoType) continue
    const info = lengthFields(parts.find(({ field }) => field === 2)?.value ?? Buffer.alloc(0))
    const metadata: Record<string, string> = {}
    for (const entry of info.filter(({ field }) => field === 3)) {
      const pair = lengthFields(entry.value)
      metadata[textOf(pair, 1)] = textOf(pair, 2)
    }
    return { reason: textOf(info, 1), domain: textOf(info, 2), metadata }
  }
  return undefined
}

type LengthField = { field: number; value: Buffer }

function textOf(fields: readonly LengthField[], field: number): string {
  return fields.find((candidate) => candidate.field === field)?.value.toString('utf8') ?? ''
}

/** The length-delimited fields of a message; numbers are skipped, anything else ends the reading. */
function lengthFields(bytes: Buffer): LengthField[] {
  const fields: LengthField[] = []
  let offset = 0
  const readVarint = () => {
    let value = 0
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = bytes[offset] ?? 0
      offset += 1
      value += (byte & 0x7f) * 2 ** shift
      if (byte < 0x80) break
    }
    return value
  }
  while (offset < bytes.length) {
    const tag = readVarint()
    if ((tag & 7) === 0) readVarint()
    else if ((tag & 7) === 2) {
      const length = readVarint()
      fields.push({ field: tag >>> 3, value: bytes.subarray(offset, offset + length) })
      offset += length
    } else break
  }
  return fields
}
