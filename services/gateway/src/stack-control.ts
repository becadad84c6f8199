import { createConnection } from 'node:net'
import type { StackProcess } from '@halles/contracts/gen/http/gateway'
import { AppError, type ErrorKind } from '@halles/kit/errors'

/** What a local stack can be asked. `part` is a part (all its instances) or one instance. */
export type StackRequest =
  | { command: 'status' }
  | { command: 'start' | 'stop' | 'kill' | 'freeze' | 'thaw'; part: string }
  | { command: 'slow'; part: string; byMs: number }
  | { command: 'restart'; parts: readonly string[] }
  | { command: 'scale'; replicas: Readonly<Record<string, number>> }

export type StackControl = {
  /**
   * Resolves when it is done, with the processes that it concerned.
   * @throws what the stack refuses (`PART_UNKNOWN`, `PART_BUSY`, …); unavailable `STACK_SILENT`,
   *   `STACK_FAILED`.
   */
  ask(request: StackRequest): Promise<StackProcess[]>
}

const statusLimitMs = 2_000
// The stack's own bounds for starting, draining and rolling through one part are below this.
const changeLimitMs = 240_000
// Forty processes of 300 bytes, many times over.
const maxReplyBytes = 256 * 1024

/** What the stack's refusals are to who asked; of anything else it does not say why in public. */
const refusals: Readonly<Record<string, ErrorKind>> = {
  PART_UNKNOWN: 'not-found',
  NOT_SCALABLE: 'not-found',
  PART_BUSY: 'conflict',
  NOT_READY: 'conflict',
  NOT_RUNNING: 'conflict',
  NOT_SLOWABLE: 'conflict',
  NO_ROOM: 'conflict',
  STACK_CLOSING: 'conflict',
  REQUEST_UNKNOWN: 'unprocessable',
}

type Reply =
  | { progress: string }
  | { result: unknown }
  | { refused: { code: string; message: string } }

/** Speaks with the stack that this gateway is a part of: a line of JSON each way. */
export function createStackControl(socketPath: string): StackControl {
  return {
    async ask(request) {
      const limitMs = request.command === 'status' ? statusLimitMs : changeLimitMs
      const reply = await exchange(socketPath, { line: JSON.stringify(request), limitMs })
      if ('refused' in reply) throw toAppError(reply.refused)
      return toProcesses(reply.result)
    },
  }
}

function exchange(socketPath: string, { line, limitMs }: { line: string; limitMs: number }) {
  return new Promise<Exclude<Reply, { progress: string }>>((resolve, reject) => {
    const socket = createConnection(socketPath)
    const signal = AbortSignal.timeout(limitMs)
    const fail = (cause?: unknown) => {
      socket.destroy()
      const text = 'The local stack does not answer.'
      reject(new AppError('unavailable', 'STACK_SILENT', text, { retryAfterSeconds: 5, cause }))
    }
    const onTimeout = () => fail(signal.reason)
    signal.addEventListener('abort', onTimeout, { once: true })
    let text = ''
    socket.setEncoding('utf8')
    socket.once('connect', () => socket.write(`${line}\n`))
    socket.once('error', fail)
    socket.once('close', () => {
      signal.removeEventListener('abort', onTimeout)
      fail()
    })
    socket.on('data', (chunk: string) => {
      text += chunk
      if (text.length > maxReplyBytes) return fail(new Error('The reply is too large.'))
      const lines = text.split('\n')
      text = lines.pop() ?? ''
      for (const each of lines) {
        const reply = parseReply(each)
        if (!reply) return fail(new Error('The reply is no reply.'))
        if ('progress' in reply) continue
        resolve(reply)
        socket.destroy()
        return
      }
    })
  })
}

function parseReply(line: string): Reply | undefined {
  try {
    const reply: unknown = JSON.parse(line)
    if (typeof reply !== 'object' || reply === null) return undefined
    const isKnown = 'progress' in reply || 'result' in reply || 'refused' in reply
    return isKnown ? (reply as Reply) : undefined
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

function toAppError({ code, message }: { code: string; message: string }): AppError {
  const kind = refusals[code]
  if (kind) return new AppError(kind, code, message)
  const cause = new Error(`${code}: ${message}`)
  return new AppError('unavailable', 'STACK_FAILED', 'The local stack could not do this.', {
    cause,
  })
}

function toProcesses(result: unknown): StackProcess[] {
  const entries = (Array.isArray(result) ? result : []) as Partial<StackProcess>[]
  return entries.map(({ part = '', instance = '', state = '', pid, restarts, slowedByMs }) => ({
    ...{ part, instance, state },
    ...(pid !== undefined && { pid }),
    ...{ restarts: restarts ?? 0, slowedByMs: slowedByMs ?? 0 },
  }))
}
