import { type Client, Metadata, type ServiceDefinition, status } from '@grpc/grpc-js'
import type { Health } from './discovery.ts'
import type { Probe } from './readiness.ts'

/** `grpc.health.v1.Health/Check`; its messages are so small that their bytes are written here. */
const path = '/grpc.health.v1.Health/Check'
/** The values of `HealthCheckResponse.ServingStatus` that we use. */
export const serving = { starting: 0, ready: 1, draining: 2 } as const
export type ServingStatus = (typeof serving)[keyof typeof serving]

const statusTag = 0x08

/** For a server; `Watch` is left out, so clients that ask for it poll `Check`. */
export const healthDefinition = {
  Check: {
    path,
    requestStream: false,
    responseStream: false,
    // We do not tell our services apart: all are served, or none.
    requestSerialize: () => Buffer.alloc(0),
    requestDeserialize: () => ({}),
    responseSerialize: (value: ServingStatus) => Buffer.from([statusTag, value]),
    responseDeserialize: (bytes: Buffer) => (bytes[0] === statusTag ? (bytes[1] ?? 0) : 0),
  },
} as const satisfies ServiceDefinition

// Comes before the limit of who asks; here only so that no call of ours is without one.
const deadlineMs = 5_000

/** Asks a server over the connection of the calls: HTTP/2 does not make it wait for them. */
export function createGrpcProbe(client: Client): Probe {
  const { requestSerialize, responseDeserialize } = healthDefinition.Check
  return {
    ask: (signal) =>
      new Promise<Health>((resolve, reject) => {
        const call = client.makeUnaryRequest(
          path,
          requestSerialize,
          responseDeserialize,
          {},
          new Metadata(),
          { deadline: Date.now() + deadlineMs },
          (error, answer) => {
            signal.removeEventListener('abort', cancel)
            // A server without health checks is taken for ready.
            if (error?.code === status.UNIMPLEMENTED) resolve('ready')
            else if (error) reject(error)
            else if (answer === serving.ready) resolve('ready')
            else resolve(answer === serving.draining ? 'draining' : 'unhealthy')
          },
        )
        const cancel = () => call.cancel()
        signal.addEventListener('abort', cancel, { once: true })
      }),
    close: async () => undefined,
  }
}
