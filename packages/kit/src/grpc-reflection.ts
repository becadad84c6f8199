import {
  type Metadata,
  type ServerDuplexStream,
  type ServiceDefinition,
  status,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js'
import protobuf from 'protobufjs'
import descriptors from 'protobufjs/ext/descriptor/index.js'
import { toGrpcStatus } from './grpc-status.ts'

/** Of https://github.com/grpc/grpc-proto, `grpc/reflection/v1` and `grpc/health/v1`: what we serve. */
const standardProtos = [
  `syntax = "proto3"; package grpc.reflection.v1;
  service ServerReflection {
    rpc ServerReflectionInfo(stream ServerReflectionRequest) returns (stream ServerReflectionResponse);
  }
  message ServerReflectionRequest {
    string host = 1;
    oneof message_request {
      string file_by_filename = 3;
      string file_containing_symbol = 4;
      ExtensionRequest file_containing_extension = 5;
      string all_extension_numbers_of_type = 6;
      string list_services = 7;
    }
  }
  message ExtensionRequest { string containing_type = 1; int32 extension_number = 2; }
  message ServerReflectionResponse {
    string valid_host = 1;
    ServerReflectionRequest original_request = 2;
    oneof message_response {
      FileDescriptorResponse file_descriptor_response = 4;
      ExtensionNumberResponse all_extension_numbers_response = 5;
      ListServiceResponse list_services_response = 6;
      ErrorResponse error_response = 7;
    }
  }
  message FileDescriptorResponse { repeated bytes file_descriptor_proto = 1; }
  message ExtensionNumberResponse { string base_type_name = 1; repeated int32 extension_number = 2; }
  message ListServiceResponse { repeated ServiceResponse service = 1; }
  message ServiceResponse { string name = 1; }
  message ErrorResponse { int32 error_code = 1; string error_message = 2; }`,
  `syntax = "proto3"; package grpc.health.v1;
  service Health { rpc Check(HealthCheckRequest) returns (HealthCheckResponse); }
  message HealthCheckRequest { string service = 1; }
  message HealthCheckResponse {
    enum ServingStatus { UNKNOWN = 0; SERVING = 1; NOT_SERVING = 2; SERVICE_UNKNOWN = 3; }
    ServingStatus status = 1;
  }`,
]
// On the wire both are the same.
const servicePaths = ['grpc.reflection.v1', 'grpc.reflection.v1alpha'].map(
  (name) => `/${name}.ServerReflection/ServerReflectionInfo`,
)

type File = protobuf.Message<descriptors.IFileDescriptorProto> & descriptors.IFileDescriptorProto
type Question = Partial<
  Record<
    'fileByFilename' | 'fileContainingSymbol' | 'allExtensionNumbersOfType' | 'listServices',
    string
  >
>
/** A service to be added to a server. */
export type Reflection = {
  definition: ServiceDefinition
  implementation: UntypedServiceImplementation
}

/**
 * Server reflection, v1 and v1alpha, so that `grpcurl` and its like know the services without their
 * .proto files. The files are put together again from the descriptors that the definitions carry:
 * one for each package.
 * @param check throws an AppError for who may not ask.
 */
export function createReflection(
  definitions: readonly ServiceDefinition[],
  check: (metadata: Metadata) => void,
): Reflection[] {
  const standard = new protobuf.Root()
  for (const proto of standardProtos) protobuf.parse(proto, standard)
  standard.resolveAll()
  const catalogue = createCatalogue([...definitions.flatMap(filesOf), ...filesIn(standard)])
  const request = standard.lookupType('grpc.reflection.v1.ServerReflectionRequest')
  const response = standard.lookupType('grpc.reflection.v1.ServerReflectionResponse')

  function serve(call: ServerDuplexStream<Question, object>): void {
    try {
      check(call.metadata)
    } catch (error) {
      call.emit('error', toGrpcStatus(error))
      return
    }
    call.on('data', (question: Question) => {
      const answer = { originalRequest: question, ...answerTo(question, catalogue) }
      if (call.write(answer)) return
      // Nobody gets more written for him than he reads.
      call.pause()
      call.once('drain', () => call.resume())
    })
    call.on('end', () => call.end())
  }

  return servicePaths.map((path) => ({
    definition: {
      ServerReflectionInfo: {
        path,
        requestStream: true,
        responseStream: true,
        requestSerialize: () => Buffer.alloc(0),
        requestDeserialize: (bytes: Buffer) => request.toObject(request.decode(bytes)),
        responseSerialize: (value: object) =>
          Buffer.from(response.encode(response.fromObject(value)).finish()),
        responseDeserialize: () => ({}),
      },
    },
    implementation: { ServerReflectionInfo: serve },
  }))
}

function answerTo(question: Question, { files, owners, services }: Catalogue): object {
  const { fileByFilename, fileContainingSymbol, allExtensionNumbersOfType: type } = question
  const file = files.get(fileByFilename ?? '') ?? owners.get(fileContainingSymbol ?? '')
  if (file) return { fileDescriptorResponse: { fileDescriptorProto: withImports(file, files) } }
  if (question.listServices !== undefined) return { listServicesResponse: { service: services } }
  if (type !== undefined && owners.has(type)) {
    // proto3 knows no extensions.
    return { allExtensionNumbersResponse: { baseTypeName: type, extensionNumber: [] } }
  }
  return { errorResponse: { errorCode: status.NOT_FOUND, errorMessage: 'There is none.' } }
}

type Catalogue = {
  files: ReadonlyMap<string, File>
  /** The file of a service, rpc, message or enum, by its full name. */
  owners: ReadonlyMap<string, File>
  services: readonly { name: string }[]
}

function createCatalogue(all: readonly File[]): Catalogue {
  const files = new Map(all.map((file) => [file.name ?? '', file]))
  const owners = new Map<string, File>()
  for (const file of files.values()) {
    const own = (path: string) => owners.set(path, file)
    const scope = file.package ?? ''
    for (const each of file.enumType ?? []) own(`${scope}.${each.name}`)
    for (const each of file.messageType ?? []) ownMessage(each, scope, own)
    for (const service of file.service ?? []) {
      own(`${scope}.${service.name}`)
      for (const rpc of service.method ?? []) own(`${scope}.${service.name}.${rpc.name}`)
    }
  }
  for (const file of files.values()) file.dependency = importsOf(file, owners)
  const services = [...files.values()].flatMap((file) =>
    (file.service ?? []).map(({ name }) => ({ name: `${file.package}.${name}` })),
  )
  return { files, owners, services }
}

function ownMessage(
  message: descriptors.IDescriptorProto,
  scope: string,
  own: (path: string) => void,
): void {
  const path = `${scope}.${message.name}`
  own(path)
  for (const each of message.enumType ?? []) own(`${path}.${each.name}`)
  for (const each of message.nestedType ?? []) ownMessage(each, path, own)
}

/** protobufjs leaves the imports out of its descriptors; without them no client can link a file. */
function importsOf(file: File, owners: Catalogue['owners']): string[] {
  const imports = new Set<string>()
  const refer = (type: string | null | undefined, scope: string) => {
    const owner = type ? findOwner(type, scope, owners) : undefined
    if (owner?.name && owner !== file) imports.add(owner.name)
  }
  const visit = (message: descriptors.IDescriptorProto, scope: string) => {
    for (const field of message.field ?? []) refer(field.typeName, `${scope}.${message.name}`)
    for (const each of message.nestedType ?? []) visit(each, `${scope}.${message.name}`)
  }
  const scope = file.package ?? ''
  for (const message of file.messageType ?? []) visit(message, scope)
  for (const rpc of (file.service ?? []).flatMap(({ method }) => method ?? [])) {
    refer(rpc.inputType, scope)
    refer(rpc.outputType, scope)
  }
  return [...imports]
}

/** A name that begins with a dot is whole; another one is looked for in ever wider scopes. */
function findOwner(type: string, scope: string, owners: Catalogue['owners']): File | undefined {
  if (type.startsWith('.')) return owners.get(type.slice(1))
  for (
    let outer = scope;
    outer !== '';
    outer = outer.slice(0, Math.max(0, outer.lastIndexOf('.')))
  ) {
    const owner = owners.get(`${outer}.${type}`)
    if (owner) return owner
  }
  return owners.get(type)
}

function withImports(file: File, files: Catalogue['files']): Uint8Array[] {
  const needed = new Set([file])
  // A set that grows is walked to its end.
  for (const each of needed) {
    for (const name of each.dependency ?? []) {
      const imported = files.get(name)
      if (imported) needed.add(imported)
    }
  }
  return [...needed].map((each) => descriptors.FileDescriptorProto.encode(each).finish())
}

/** The files that a definition of @grpc/proto-loader carries with each of its messages. */
function filesOf(definition: ServiceDefinition): File[] {
  const [method] = Object.values(definition)
  const { fileDescriptorProtos = [] } = (method as { requestType?: Described }).requestType ?? {}
  return fileDescriptorProtos.map((bytes) => descriptors.FileDescriptorProto.decode(bytes) as File)
}

type Described = { fileDescriptorProtos?: readonly Uint8Array[] }

function filesIn(root: protobuf.Root): File[] {
  const { file = [] } = root.toDescriptor('proto3') as unknown as { file?: File[] }
  return file
}
