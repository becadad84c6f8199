import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto'
import { secretsIn } from '@halles/kit/rotating-secrets'

export type Sealer = {
  /** Encrypts the value; `owner` must be the same to open it. */
  seal(value: unknown, owner: Buffer): Buffer
  /** The value, or undefined when it was sealed under another secret or for another owner. */
  open(sealed: Buffer, owner: Buffer): unknown
}

const algorithm = 'aes-256-gcm'
const ivBytes = 12
const tagBytes = 16

/**
 * AES-256-GCM under a key derived from the secret; a row's content cannot be moved to another row.
 * While one secret replaces another (`secretsIn`), what either sealed is opened.
 */
export function createSealer(secret: string): Sealer {
  const [key, ...others] = secretsIn(secret).map((each) =>
    Buffer.from(hkdfSync('sha256', each, '', 'halles web sessions', 32)),
  ) as [Buffer, ...Buffer[]]
  return {
    seal(value, owner) {
      const iv = randomBytes(ivBytes)
      const cipher = createCipheriv(algorithm, key, iv).setAAD(owner)
      const body = Buffer.concat([cipher.update(JSON.stringify(value), 'utf8'), cipher.final()])
      return Buffer.concat([iv, cipher.getAuthTag(), body])
    },
    open(sealed, owner) {
      for (const each of [key, ...others]) {
        const text = decrypt(each, sealed, owner)
        if (text !== undefined) return JSON.parse(text) as unknown
      }
      return undefined
    },
  }
}

function decrypt(key: Buffer, sealed: Buffer, owner: Buffer): string | undefined {
  const tagEnd = ivBytes + tagBytes
  const decipher = createDecipheriv(algorithm, key, sealed.subarray(0, ivBytes))
    .setAAD(owner)
    .setAuthTag(sealed.subarray(ivBytes, tagEnd))
  try {
    return decipher.update(sealed.subarray(tagEnd), undefined, 'utf8') + decipher.final('utf8')
  } catch {
    // The tag does not fit: another secret, or a row that somebody changed.
    return undefined
  }
}
