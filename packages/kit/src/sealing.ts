import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import { Ajv } from 'ajv'
import addFormats from 'ajv-formats'
import { CompactEncrypt, compactDecrypt } from 'jose'
import { AppError } from './errors.ts'
import { type OpeningKey, publicPart, type SealingKey } from './sealing-keys.ts'

/**
 * What sealed content belongs to: the type, subject and version of its message, say. It is part of
 * what is authenticated, readable by everybody, so that content cannot be moved to another message.
 */
export type SealingContext = Readonly<Record<string, string | number>>

export type Sealer = {
  /** A compact JWE (RFC 7516: ECDH-ES over X25519, A256GCM) that the holder of the key can open. */
  seal(value: object, context: SealingContext): Promise<string>
}

export type Opener<Value> = {
  /**
   * Opens what was sealed for this context. Throws `SEALED_UNREADABLE`, which never quotes content:
   * its key is not held, it was altered or belongs elsewhere, or does not follow its schema.
   */
  open(jwe: string, context: SealingContext): Promise<Value>
}

const algorithm = { alg: 'ECDH-ES', enc: 'A256GCM' } as const
// Of the protected header; a name that no JOSE standard has taken.
const contextParameter = 'halles'

/** Seals with the public key; who holds it alone cannot open what it sealed. */
export function createSealer({ publicKey }: { publicKey: SealingKey }): Sealer {
  const key = createPublicKey({ key: publicPart(publicKey), format: 'jwk' })
  return {
    seal: (value, context) =>
      new CompactEncrypt(Buffer.from(JSON.stringify(value)))
        .setProtectedHeader({ ...algorithm, kid: publicKey.kid, [contextParameter]: context })
        .encrypt(key),
  }
}

export type OpenerOptions<Value> = {
  /** Newest first. During a rotation there are two; each message names the one that it needs. */
  privateKeys: readonly OpeningKey[]
  /** The JSON Schema that the content follows. */
  contract: { schema: object; readonly data?: Value }
}

/** Opens what was sealed for any of the keys. */
export function createOpener<Value>({
  privateKeys,
  contract,
}: OpenerOptions<Value>): Opener<Value> {
  const keys = new Map<string | undefined, KeyObject>(
    privateKeys.map((key) => [key.kid, createPrivateKey({ key, format: 'jwk' })]),
  )
  const ajv = new Ajv({ strict: true, strictTypes: false })
  addFormats.default(ajv)
  const isValid = ajv.compile<Value>(contract.schema)

  async function decrypt(jwe: string, context: SealingContext): Promise<Uint8Array> {
    const choose = (header: { kid?: string; [contextParameter]?: unknown }): KeyObject => {
      if (!isDeepStrictEqual(header[contextParameter], context)) {
        throw unreadable('It was sealed for another message.')
      }
      const key = keys.get(header.kid)
      if (!key) throw unreadable('The key that it was sealed for is not held here.')
      return key
    }
    try {
      const { plaintext } = await compactDecrypt(jwe, choose, {
        keyManagementAlgorithms: [algorithm.alg],
        contentEncryptionAlgorithms: [algorithm.enc],
      })
      return plaintext
    } catch (error) {
      throw error instanceof AppError
        ? error
        : unreadable('It was altered, or is no sealed content.')
    }
  }

  return {
    async open(jwe, context) {
      const value = parse(await decrypt(jwe, context))
      if (!isValid(value)) throw unreadable('What it holds does not follow its schema.')
      return value
    },
  }
}

function parse(content: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(content).toString())
  } catch {
    // Without its cause, which would quote the content.
    throw unreadable('What it holds is no JSON.')
  }
}

function unreadable(why: string): AppError {
  return new AppError('invalid', 'SEALED_UNREADABLE', `Sealed content cannot be opened. ${why}`)
}
