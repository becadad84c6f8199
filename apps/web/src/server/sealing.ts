import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto'

export type Sealer = {
  /** Encrypts the value; `owner` must be the same to open it. */
  seal(value: unknown, owner: Buffer): Buffer
  /** The value, or undefined when it was sealed under another secret or for another owner. */
  open(sealed: Buffer, owner: Buffer): unknown
}

const algorithm = 'aes-256-gcm'
const ivBytes = 12
const tagBytes = 16

/** AES-256-GCM under a key derived from the secret; a row's content cannot be moved to another row. */
export function createSealer(secret: string): Sealer {
  const key = Buffer.from(hkdfSync('sha256', secret, '', 'halles web sessions', 32))
  return {
    seal(value, owner) {
      const iv = randomBytes(ivBytes)
      const cipher = createCipheriv(algorithm, key, iv).setAAD(owner)
      const body = Buffer.concat([cipher.update(JSON.stringify(value), 'utf8'), cipher.final()])
      return Buffer.concat([iv, cipher.getAuthTag(), body])
    },
    open(sealed, owner) {
      const tagEnd = ivBytes + tagBytes
      const decipher = createDecipheriv(algorithm, key, sealed.subarray(0, ivBytes))
        .setAAD(owner)
        .setAuthTag(sealed.subarray(ivBytes, tagEnd))
      let text: string
      try {
        text = decipher.update(sealed.subarray(tagEnd), undefined, 'utf8') + decipher.final('utf8')
      } catch {
        // The tag does not fit: another secret, or a row that somebody changed.
        return undefined
      }
      return JSON.parse(text) as unknown
    },
  }
}
