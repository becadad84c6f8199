import { generateKeyPairSync, randomUUID, sign } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

export type Neighbours = {
  /** Both the key set of auth and the policy of rbac. */
  url: string
  /** An `Authorization` header for a person with these roles. */
  bearer(roles?: readonly string[]): string
  close(): void
}

const base64 = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')

/** Stands for auth and rbac: a key that signs as auth does, and one role that may edit products. */
export async function startNeighbours(): Promise<Neighbours> {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  const kid = randomUUID()
  const keys = [{ ...publicKey.export({ format: 'jwk' }), kid, alg: 'EdDSA', use: 'sig' }]
  const roles = [{ role: 'editor', permissions: ['products:write'], version: 1 }]
  const server = createServer((request, response) => {
    const body = request.url?.startsWith('/internal/v1/policy') ? { roles } : { keys }
    response.setHeader('content-type', 'application/json').end(JSON.stringify(body))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    bearer(callerRoles = []) {
      const iat = Math.floor(Date.now() / 1_000)
      const claims = { iss: 'halles', aud: 'halles', iat, exp: iat + 600 }
      const person = { sub: randomUUID(), sid: randomUUID(), roles: callerRoles }
      const text = `${base64({ alg: 'EdDSA', typ: 'JWT', kid })}.${base64({ ...claims, ...person })}`
      const signature = sign(null, Buffer.from(text), privateKey).toString('base64url')
      return `Bearer ${text}.${signature}`
    },
    close: () => server.close(),
  }
}
