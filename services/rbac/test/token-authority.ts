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

/** Signs tokens as auth does and publishes the key, so that a service can be tested without auth. */
export async function startTokenAuthority(): Promise<TokenAuthority> {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  const kid = randomUUID()
  const jwk = { ...publicKey.export({ format: 'jwk' }), kid, alg: 'EdDSA', use: 'sig' }
  const server = createServer((_request, response) => {
    response.setHeader('content-type', 'application/json').end(JSON.stringify({ keys: [jwk] }))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url')
  const issue = (claims: object) => {
    const iat = Math.floor(Date.now() / 1_000)
    const head = encode({ alg: 'EdDSA', typ: 'JWT', kid })
    const body = encode({ ...claims, iss: 'halles', aud: 'halles', iat, exp: iat + 600 })
    const signature = sign(null, Buffer.from(`${head}.${body}`), privateKey)
    return `${head}.${body}.${signature.toString('base64url')}`
  }
  return {
    jwksUrl: `http://127.0.0.1:${port}/.well-known/jwks.json`,
    bearer: (sub, roles = []) => `Bearer ${issue({ sub, sid: randomUUID(), roles })}`,
    close: () => server.close(),
  }
}
