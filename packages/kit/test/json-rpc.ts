const write = (value: unknown) => Buffer.from(JSON.stringify(value))
const read = (bytes: Buffer) => JSON.parse(bytes.toString())

/** A method of a gRPC service as `grpc-js` wants it, whose messages are JSON. */
export function jsonRpc(path: string, originalName: string) {
  return {
    path,
    originalName,
    requestStream: false,
    responseStream: false,
    requestSerialize: write,
    requestDeserialize: read,
    responseSerialize: write,
    responseDeserialize: read,
  } as const
}
