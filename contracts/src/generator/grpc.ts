import protobuf from 'protobufjs'

const scalars: Readonly<Record<string, string>> = {
  string: 'string',
  bool: 'boolean',
  int32: 'number',
  // Amounts stay below 2^53, so a number holds them; see loadOptions in @halles/contracts/grpc.
  int64: 'number',
}

function toFieldType(field: protobuf.Field): string {
  const target = field.resolve().resolvedType
  const type = target ? target.name : scalars[field.type]
  if (!type) throw new Error(`${field.fullName}: no TypeScript type for “${field.type}”.`)
  return field.repeated ? `${type}[]` : type
}

function toDeclarations(namespace: protobuf.NamespaceBase): string[] {
  return namespace.nestedArray.flatMap((node) => {
    if (node instanceof protobuf.Type) {
      const fields = node.fieldsArray.map((field) => `  ${field.name}: ${toFieldType(field)}\n`)
      return [`export type ${node.name} = {\n${fields.join('')}}`]
    }
    if (node instanceof protobuf.Enum) {
      return [
        `export type ${node.name} = ${Object.keys(node.values)
          .map((v) => `'${v}'`)
          .join(' | ')}`,
      ]
    }
    if (node instanceof protobuf.Service) {
      const rpcs = node.methodsArray.map((rpc) => {
        const name = rpc.name.charAt(0).toLowerCase() + rpc.name.slice(1)
        return `  ${name}: { request: ${rpc.requestType}; reply: ${rpc.responseType} }\n`
      })
      return [
        `export type ${node.name}Rpcs = {\n${rpcs.join('')}}`,
        `export const serviceName = '${node.fullName.slice(1)}'`,
      ]
    }
    return node instanceof protobuf.Namespace ? toDeclarations(node) : []
  })
}

/**
 * The module of one .proto file: its types, and its descriptor for @grpc/proto-loader.
 * @param protos the texts of the file and of all that it imports.
 */
export function toGrpcModule(protos: readonly string[]): string {
  const root = new protobuf.Root()
  for (const proto of protos) protobuf.parse(proto, root, { keepCase: false })
  root.resolveAll()
  return [
    ...toDeclarations(root),
    `export const descriptor = ${JSON.stringify(root.toJSON(), null, 2)}`,
  ].join('\n\n')
}
