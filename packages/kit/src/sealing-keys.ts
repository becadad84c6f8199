import { createPrivateKey, createPublicKey, generateKeyPairSync } from 'node:crypto'
import type { Field } from './config.ts'
import { uuidv7 } from './ids.ts'

/** An X25519 key as a JWK (RFC 8037) that is known by its `kid`. */
export type SealingKey = { kty: 'OKP'; crv: 'X25519'; x: string; kid: string }

/** The key with its private part. */
export type OpeningKey = SealingKey & { d: string }

/** Makes a key pair, known by an id of its own. */
export function createOpeningKey(): OpeningKey {
  const { x, d } = generateKeyPairSync('x25519').privateKey.export({ format: 'jwk' })
  if (x === undefined || d === undefined) throw new Error('A new key lacks a part.')
  return { kty: 'OKP', crv: 'X25519', x, d, kid: uuidv7() }
}

/** A variable that holds the public key to seal with, as a JWK in JSON. Refuses a private key. */
export function sealingKey(variable: string): Field<SealingKey> {
  return {
    variable,
    parse(text) {
      const key = toKey(parseJson(text))
      if ('d' in key) throw new Error('holds a private key; only the public part belongs here.')
      return key
    },
  }
}

// Two during a rotation; more are kept for dead letters that are older than the last one.
const maxOpeningKeys = 10

/** A variable that holds private keys, newest first: a JWK set, a list of JWKs, or one JWK. */
export function openingKeys(variable: string): Field<readonly OpeningKey[]> {
  return {
    variable,
    parse(text) {
      const json = parseJson(text)
      const keys = toList(json).map(toKey)
      if (keys.length === 0 || keys.length > maxOpeningKeys) {
        throw new Error(`must hold 1 to ${maxOpeningKeys} keys.`)
      }
      if (!keys.every((key) => 'd' in key))
        throw new Error('must hold keys with their private part.')
      if (new Set(keys.map(({ kid }) => kid)).size < keys.length) {
        throw new Error('must hold keys whose kids differ.')
      }
      return Object.freeze(keys as OpeningKey[])
    },
  }
}

function toList(json: unknown): unknown[] {
  if (Array.isArray(json)) return json
  const { keys } = (json ?? {}) as { keys?: unknown }
  return Array.isArray(keys) ? keys : [json]
}

/** The part of a key that may be given to who seals. */
export function publicPart({ kty, crv, x, kid }: SealingKey): SealingKey {
  return { kty, crv, x, kid }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // Without its cause, which would quote the text.
    throw new Error('must be JSON.')
  }
}

function toKey(value: unknown): SealingKey | OpeningKey {
  const { kty, crv, x, kid, d } = (value ?? {}) as Record<string, unknown>
  const isWhole = kty === 'OKP' && crv === 'X25519' && typeof x === 'string'
  if (!isWhole || typeof kid !== 'string' || kid === '') {
    throw new Error('must be an X25519 key as a JWK with a kid.')
  }
  const key = { kty, crv, x, kid, ...(typeof d === 'string' && { d }) } as SealingKey | OpeningKey
  try {
    if ('d' in key) createPrivateKey({ key, format: 'jwk' })
    else createPublicKey({ key, format: 'jwk' })
  } catch {
    // Without its cause, which may quote the key.
    throw new Error('must be an X25519 key as a JWK with a kid; this one is damaged.')
  }
  return key
}
