import { createHash, randomBytes } from 'node:crypto'

const name = 'session'
// 256 bits: not to be guessed, whatever the number of sessions.
const idBytes = 32
const idPattern = /^[A-Za-z0-9_-]{43}$/

/** A session's id as the browser keeps it. Only its hash is stored. */
export function newSessionId(): string {
  return randomBytes(idBytes).toString('base64url')
}

export function hashSessionId(id: string): Buffer {
  return createHash('sha256').update(id).digest()
}

/** The value of a cookie, or undefined. */
export function readCookie(header: string | undefined, wanted: string): string | undefined {
  for (const pair of (header ?? '').split(';')) {
    const [key, ...rest] = pair.split('=')
    if (key?.trim() === wanted) return rest.join('=').trim()
  }
  return undefined
}

/** The session's id out of the cookies, when it has the shape of one. */
export function readSessionId(header: string | undefined): string | undefined {
  const value = readCookie(header, name)
  return value !== undefined && idPattern.test(value) ? value : undefined
}

/** A `Set-Cookie` that scripts cannot read and other sites' forms do not send. */
export function sessionCookie(
  id: string,
  options: { isSecure: boolean; maxAgeSeconds: number },
): string {
  const secure = options.isSecure ? '; Secure' : ''
  return `${name}=${id}; Path=/; HttpOnly; SameSite=Lax; Max-Age=${options.maxAgeSeconds}${secure}`
}

/** A `Set-Cookie` that makes the browser forget the session. */
export function endedSessionCookie(options: { isSecure: boolean }): string {
  return sessionCookie('', { ...options, maxAgeSeconds: 0 })
}
