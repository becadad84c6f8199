import {
  createCipheriv,
  createDecipheriv,
  createPrivateKey,
  generateKeyPairSync,
  hkdfSync,
  type KeyObject,
  randomBytes,
} from 'node:crypto'
import type { Part } from '@halles/kit/lifecycle'
import type { Logger } from '@halles/kit/logging'
import { createLoop } from '@halles/kit/loop'
import { secretsIn } from '@halles/kit/rotating-secrets'
import type { SigningKeyStore, StoredKey } from './ports.ts'

/** An Ed25519 key in the form of RFC 8037. */
export type PublicJwk = {
  kty: string
  crv: string
  x: string
  kid: string
  alg: 'EdDSA'
  use: 'sig'
}

export type SigningKey = { kid: string; createdAt: Date; jwk: PublicJwk; privateKey: KeyObject }

export type KeyRing = Part & {
  /** Every key whose tokens may still be good, newest first. */
  keys(): readonly SigningKey[]
  /** The one to sign with. */
  signing(): SigningKey
}

export type KeyRingOptions = {
  store: SigningKeyStore
  /** What private keys are encrypted under; those that another one of several sealed are sealed anew. */
  secret: string
  /** How long a token is good: the public key stays at least so long after the key's last use. */
  tokenSeconds: number
  maxAgeMs: number
  /** Keys that were made before are due, whatever their age. */
  since?: Date
  logger: Logger
  clock: () => Date
  newId: () => string
}

// How soon a replica learns of a key that another one made.
const reloadMs = 20_000
// A new key signs only when every replica publishes it and no cached key set lacks it.
const publishFirstMs = 90_000
// Clocks of other machines, and key sets that are held a little longer.
const marginMs = 300_000

/** The keys that tokens are signed and verified with; shared by the replicas, renewed by age. */
export function createKeyRing(options: KeyRingOptions): KeyRing {
  const { store, secret, tokenSeconds, maxAgeMs, since, logger, clock, newId } = options
  const [encryptionKey, ...others] = secretsIn(secret).map(deriveKey) as [Buffer, ...Buffer[]]
  const opened = new Map<string, SigningKey>()
  let keys: readonly SigningKey[] = []

  async function reload(): Promise<void> {
    let stored = await store.list(clock())
    if (isDue(stored[0])) {
      const now = clock().getTime()
      await store.renew(createKey(encryptionKey, newId(), clock()), {
        olderThan: new Date(oldestAllowedMs()),
        retireOthersAt: new Date(now + publishFirstMs + reloadMs + tokenSeconds * 1_000 + marginMs),
      })
      stored = await store.list(clock())
    }
    const next: SigningKey[] = []
    for (const key of stored) next.push(opened.get(key.kid) ?? (await openAndReseal(key)))
    keys = next
    opened.clear()
    for (const key of keys) opened.set(key.kid, key)
  }

  const oldestAllowedMs = () => Math.max(clock().getTime() - maxAgeMs, since?.getTime() ?? 0)

  const isDue = (newest: StoredKey | undefined) =>
    newest === undefined || newest.createdAt.getTime() <= oldestAllowedMs()

  async function openAndReseal(stored: StoredKey): Promise<SigningKey> {
    const { kid, privateKey } = stored
    const plain = others.map((each) => decrypt(each, kid, privateKey)).find((each) => each)
    if (plain === undefined) return openKey(encryptionKey, stored)
    const resealed = { ...stored, privateKey: encrypt(encryptionKey, kid, plain) }
    await store.reseal(resealed)
    return openKey(encryptionKey, resealed)
  }

  const loop = createLoop({
    name: 'signing keys',
    logger,
    backoff: { baseMs: 1_000, maxMs: reloadMs },
    async round() {
      await reload()
      return reloadMs
    },
  })
  return {
    name: 'signing keys',
    async start() {
      await reload()
      loop.start()
    },
    stop: () => loop.stop(),
    keys: () => keys,
    signing() {
      const publishedBefore = clock().getTime() - publishFirstMs
      const key =
        keys.find(({ createdAt }) => createdAt.getTime() <= publishedBefore) ?? keys.at(-1)
      if (!key) throw new Error('There is no signing key before the key ring has started.')
      return key
    },
  }
}

function deriveKey(secret: string): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, '', 'halles auth signing keys', 32))
}

function createKey(encryptionKey: Buffer, kid: string, createdAt: Date): StoredKey {
  const pair = generateKeyPairSync('ed25519')
  const { kty = '', crv = '', x = '' } = pair.publicKey.export({ format: 'jwk' })
  const der = pair.privateKey.export({ type: 'pkcs8', format: 'der' })
  const privateKey = encrypt(encryptionKey, kid, der)
  return { kid, publicKey: { kty, crv, x }, privateKey, createdAt }
}

function openKey(encryptionKey: Buffer, stored: StoredKey): SigningKey {
  const { kid, publicKey, createdAt } = stored
  const key = decrypt(encryptionKey, kid, stored.privateKey)
  if (!key) {
    throw new Error(
      `The signing key ${kid} cannot be opened: SIGNING_KEY_SECRET is not the one it was stored under.`,
    )
  }
  return {
    kid,
    createdAt,
    jwk: { ...publicKey, kid, alg: 'EdDSA', use: 'sig' },
    privateKey: createPrivateKey({ key, type: 'pkcs8', format: 'der' }),
  }
}

// NIST SP 800-38D: a nonce of 96 bits and a tag of 128.
const nonceBytes = 12
const tagBytes = 16

function encrypt(key: Buffer, kid: string, plain: Buffer): Buffer {
  const nonce = randomBytes(nonceBytes)
  const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(kid))
  const body = Buffer.concat([cipher.update(plain), cipher.final()])
  return Buffer.concat([nonce, cipher.getAuthTag(), body])
}

/** Undefined when it was encrypted under another key. */
function decrypt(key: Buffer, kid: string, sealed: Buffer): Buffer | undefined {
  const nonce = sealed.subarray(0, nonceBytes)
  const tag = sealed.subarray(nonceBytes, nonceBytes + tagBytes)
  const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: tagBytes })
  decipher.setAAD(Buffer.from(kid)).setAuthTag(tag)
  try {
    return Buffer.concat([
      decipher.update(sealed.subarray(nonceBytes + tagBytes)),
      decipher.final(),
    ])
  } catch {
    // The tag does not fit.
    return undefined
  }
}
