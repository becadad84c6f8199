import { generateKeyPairSync, randomUUID, sign } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

export type TokenAuthority = {
  jwksUrl: string
  /** An `Authorization` header for the subject. */
  bearer(subjectId: string, roles?: readonly string[]): string
  close(): void
}

const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url')

/**
 * Signs tokens as auth does and publishes the key, so that the service can be tested without auth;
 * answers the policy as rbac does: `staff` may read and write orders.
 */
export async function startTokenAuthority(): Promise<TokenAuthority & { url: string }> {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  const kid = randomUUID()
  const jwk = { ...publicKey.export({ format: 'jwk' }), kid, alg: 'EdDSA', use: 'sig' }
  const roles = [{ role: 'staff', permissions: ['orders:read', 'orders:write'], version: 1 }]
  const server = createServer(({ url }, response) => {
    const body = url === '/internal/v1/policy' ? { roles } : { keys: [jwk] }
    response.setHeader('content-type', 'application/json').end(JSON.stringify(body))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const url = `http://127.0.0.1:${port}`
  const header = encode({ alg: 'EdDSA', typ: 'JWT', kid })
  return {
    url,
    jwksUrl: `${url}/.well-known/jwks.json`,
    bearer(sub, held = []) {
      const iat = Math.floor(Date.now() / 1_000)
      const token = { iss: 'halles', aud: 'halles', sub, sid: randomUUID(), roles: held }
      const signed = `${header}.${encode({ ...token, iat, exp: iat + 600 })}`
      return `Bearer ${signed}.${sign(null, Buffer.from(signed), privateKey).toString('base64url')}`
    },
    close: () => {
      server.closeAllConnections()
      server.close()
    },
  }
}
