import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CompactEncrypt } from 'jose'
import { ConfigError, loadConfig } from '../src/config.ts'
import { createOpener, createSealer } from '../src/sealing.ts'
import {
  createOpeningKey,
  type OpeningKey,
  openingKeys,
  publicPart,
  sealingKey,
} from '../src/sealing-keys.ts'

type Secret = { word: string }

const contract: { schema: object; readonly data?: Secret } = {
  schema: { type: 'object', properties: { word: { type: 'string' } }, required: ['word'] },
}
const context = { type: 'tell.v1', subject: 'a', version: 7 }
const unreadable = { code: 'SEALED_UNREADABLE', kind: 'invalid' }

const sealWith = (publicKey: OpeningKey, value: object = { word: 'sesame' }) =>
  createSealer({ publicKey }).seal(value, context)
const openWith = (privateKeys: OpeningKey[], jwe: string, of: typeof context = context) =>
  createOpener({ privateKeys, contract }).open(jwe, of)

test('what is sealed shows nothing of itself, and the holder of the key reads it', async () => {
  const key = createOpeningKey()
  const jwe = await sealWith(key)
  const [header = ''] = jwe.split('.')
  assert.deepEqual(JSON.parse(Buffer.from(header, 'base64url').toString()).alg, 'ECDH-ES')
  assert.equal(Buffer.from(jwe, 'base64url').includes('sesame'), false)
  assert.notEqual(jwe, await sealWith(key))
  assert.deepEqual(await openWith([key], jwe), { word: 'sesame' })
})

test('during a rotation the old and the new key are opened; a key that was dropped is not', async () => {
  const [old, young] = [createOpeningKey(), createOpeningKey()]
  const sealed = [await sealWith(old), await sealWith(young)]
  for (const jwe of sealed) assert.deepEqual(await openWith([young, old], jwe), { word: 'sesame' })
  await assert.rejects(openWith([young], sealed[0] ?? ''), unreadable)
})

for (const other of [
  { ...context, subject: 'b' },
  { ...context, version: 8 },
  { ...context, type: 'tell.v2' },
]) {
  test(`sealed content cannot be moved to another message: ${JSON.stringify(other)}`, async () => {
    const key = createOpeningKey()
    const jwe = await sealWith(key)
    await assert.rejects(openWith([key], jwe, other), unreadable)
    // Nor by writing the other message's name on it.
    const [header = '', ...rest] = jwe.split('.')
    const claims = JSON.parse(Buffer.from(header, 'base64url').toString())
    const forged = Buffer.from(JSON.stringify({ ...claims, halles: other })).toString('base64url')
    await assert.rejects(openWith([key], [forged, ...rest].join('.'), other), unreadable)
  })
}

test('content that was altered, or is none, is refused without a word of it', async () => {
  const key = createOpeningKey()
  const parts = (await sealWith(key)).split('.')
  const ciphertext = parts[3] ?? ''
  const flipped = (ciphertext.startsWith('A') ? 'B' : 'A') + ciphertext.slice(1)
  for (const bad of [
    parts.with(3, flipped).join('.'),
    parts.slice(0, 4).join('.'),
    'sesame',
    '',
    await sealWith(key, { word: 7, sesame: 'sesame' }),
    await encrypt(key, 'sesame', { enc: 'A256GCM' }),
    await encrypt(key, '{"word":"sesame"}', { enc: 'A128CBC-HS256' }),
  ]) {
    await assert.rejects(openWith([key], bad), (error: Error) => {
      assert.equal((error as Error & { code: string }).code, 'SEALED_UNREADABLE')
      assert.equal(error.cause, undefined)
      assert.doesNotMatch(`${error.message} ${error.stack}`, /word|sesame"/)
      return true
    })
  }
})

async function encrypt(key: OpeningKey, text: string, { enc }: { enc: string }): Promise<string> {
  return new CompactEncrypt(Buffer.from(text))
    .setProtectedHeader({ alg: 'ECDH-ES', enc, kid: key.kid, halles: context })
    .encrypt(publicPart(key))
}

test('keys are read from the configuration: one, a list or a set', () => {
  const keys = [createOpeningKey(), createOpeningKey()]
  const schema = { publicKey: sealingKey('PUBLIC'), privateKeys: openingKeys('PRIVATE') }
  for (const [given, expected] of [
    [keys, keys],
    [{ keys }, keys],
    [keys[0], keys.slice(0, 1)],
  ]) {
    const PUBLIC = JSON.stringify(publicPart(keys[0] as OpeningKey))
    const config = loadConfig(schema, { PUBLIC, PRIVATE: JSON.stringify(given) })
    assert.deepEqual(config.privateKeys, expected)
    assert.deepEqual(config.publicKey, publicPart(keys[0] as OpeningKey))
  }
})

test('a key that cannot be used stops the start, and its text is not repeated', () => {
  const key = createOpeningKey()
  const secret = key.d
  const faultsOf = (env: Record<string, string>) => {
    try {
      loadConfig({ publicKey: sealingKey('PUBLIC'), privateKeys: openingKeys('PRIVATE') }, env)
    } catch (error) {
      assert.ok(error instanceof ConfigError)
      assert.equal(error.message.includes(secret), false)
      return error.faults.map(({ variable, detail }) => `${variable} ${detail}`)
    }
    return []
  }
  const { kid, ...nameless } = key
  const faults = [
    faultsOf({ PUBLIC: JSON.stringify(key), PRIVATE: `${secret} no JSON` }),
    faultsOf({ PUBLIC: JSON.stringify({ ...publicPart(key), x: 'AA' }), PRIVATE: '[]' }),
    faultsOf({ PUBLIC: JSON.stringify(nameless), PRIVATE: JSON.stringify([key, key]) }),
    faultsOf({ PUBLIC: '{}', PRIVATE: JSON.stringify(publicPart(key)) }),
  ]
  assert.deepEqual(faults, [
    ['PUBLIC holds a private key; only the public part belongs here.', 'PRIVATE must be JSON.'],
    [
      'PUBLIC must be an X25519 key as a JWK with a kid; this one is damaged.',
      'PRIVATE must hold 1 to 10 keys.',
    ],
    [
      'PUBLIC must be an X25519 key as a JWK with a kid.',
      'PRIVATE must hold keys whose kids differ.',
    ],
    [
      'PUBLIC must be an X25519 key as a JWK with a kid.',
      'PRIVATE must hold keys with their private part.',
    ],
  ])
})
