import { loadPackageDefinition, type ServiceDefinition } from '@grpc/grpc-js'
import { fromJSON } from '@grpc/proto-loader'

/**
 * The service definition for `@grpc/grpc-js` from a generated descriptor.
 * 64-bit integers are numbers (amounts stay below 2^53), enums their names, absent fields their
 * defaults.
 */
export function toServiceDefinition(descriptor: object, serviceName: string): ServiceDefinition {
  const loaded = loadPackageDefinition(
    fromJSON(descriptor as Parameters<typeof fromJSON>[0], {
      longs: Number,
      enums: String,
      defaults: true,
      arrays: true,
    }),
  )
  let node: unknown = loaded
  for (const part of serviceName.split('.')) node = (node as Record<string, unknown>)[part]
  return (node as { service: ServiceDefinition }).service
}
