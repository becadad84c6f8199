import { generateKeyPairSync, randomUUID, sign } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { RoleState } from './policy.ts'

/** Stands for those who issue tokens and keep the policy, so that a service is tested alone. */
export type TokenAuthority = {
  /** Where the policy is asked for (`RBAC_URLS`). */
  url: string
  /** Where the key is (`JWKS_URLS`). */
  jwksUrl: string
  /** An `Authorization` header for a subject with these roles, good for ten minutes. */
  bearer(subjectId: string, roles?: readonly string[]): string
  close(): void
}

const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url')

/** Signs tokens with a key of its own, publishes it, and answers the policy with the roles given. */
export async function startTokenAuthority(
  roles: readonly RoleState[] = [],
): Promise<TokenAuthority> {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  const kid = randomUUID()
  const keys = [{ ...publicKey.export({ format: 'jwk' }), kid, alg: 'EdDSA', use: 'sig' }]
  const server = createServer(({ url }, response) => {
    const body = url === '/internal/v1/policy' ? { roles } : { keys }
    response.setHeader('content-type', 'application/json').end(JSON.stringify(body))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const head = encode({ alg: 'EdDSA', typ: 'JWT', kid })
  return {
    url,
    jwksUrl: `${url}/.well-known/jwks.json`,
    bearer(sub, held = []) {
      const iat = Math.floor(Date.now() / 1_000)
      const claims = { iss: 'halles', aud: 'halles', sub, sid: randomUUID(), roles: held }
      const text = `${head}.${encode({ ...claims, iat, exp: iat + 600 })}`
      return `Bearer ${text}.${sign(null, Buffer.from(text), privateKey).toString('base64url')}`
    },
    close() {
      server.closeAllConnections()
      server.close()
    },
  }
}
