import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { AppError } from '@halles/kit/errors'
import { secretsIn } from '@halles/kit/rotating-secrets'
import { createOpeningKey } from '@halles/kit/sealing-keys'
import { writeJson } from './files.ts'
import { loadSecrets, type Rotation, type Secrets } from './secrets.ts'
import { databaseRoles, parts } from './topology.ts'

/** A secret that is replaced in steps while it is used. */
type Rotatable = {
  summary: string
  /** Who has to be restarted when it changes. */
  parts: readonly string[]
  /** How long what was made with the old one is good. */
  lifeMs: number
  /** The values in the order in which they count. */
  read(secrets: Secrets): readonly unknown[]
  write(values: readonly unknown[]): Partial<Secrets>
  create(): unknown
}

type TextName =
  | 'internalSecret'
  | 'signingKeySecret'
  | 'orderTokenSecret'
  | 'sessionSecret'
  | 'stripeWebhookSecret'

type Described = Pick<Rotatable, 'summary' | 'parts' | 'lifeMs'>

const random = () => randomBytes(24).toString('base64url')
const dayMs = 86_400_000

function text(name: TextName, about: Described, create = random): Rotatable {
  return {
    ...about,
    read: (secrets) => secretsIn(secrets[name]),
    write: (values) => ({ [name]: values.join(',') }),
    create,
  }
}

const services = parts.filter(({ entry }) => entry.startsWith('services/')).map(({ name }) => name)

/** What can be rotated, by the name that an operator calls it. */
export const rotatables: Readonly<Record<string, Rotatable>> = {
  'signing-keys': text('signingKeySecret', {
    ...{ summary: 'access tokens', parts: ['auth'] },
    // Auth itself publishes the old keys for as long as their tokens are good.
    lifeMs: 0,
  }),
  'internal-secret': text('internalSecret', {
    ...{ summary: 'calls between services', parts: services, lifeMs: 0 },
  }),
  'sealing-key': {
    ...{ summary: 'credentials on their way', parts: ['auth', 'customers'] },
    // As long as a queue keeps what nobody takes.
    lifeMs: 7 * dayMs,
    read: ({ credentialsKeys }) => credentialsKeys,
    write: (values) => ({ credentialsKeys: values as Secrets['credentialsKeys'] }),
    create: createOpeningKey,
  },
  'session-secret': text('sessionSecret', {
    ...{ summary: 'sessions of the shop', parts: ['web'] },
    // Each use seals a session anew; this long one lives that is not used.
    lifeMs: 30 * dayMs,
  }),
  'order-tokens': text('orderTokenSecret', {
    ...{ summary: "guests' orders", parts: ['orders'], lifeMs: 30 * dayMs },
  }),
  'webhook-secret': text(
    'stripeWebhookSecret',
    { summary: "the card sandbox's notifications", parts: ['payments'], lifeMs: 0 },
    () => `whsec_${randomBytes(16).toString('hex')}`,
  ),
}

export type RotationOptions = {
  dataFolder: string
  /** Restarts parts one process after another; resolves when all run with the secrets in the file. */
  restart(parts: readonly string[]): Promise<void>
  progress(text: string): void
}

/**
 * Puts a new secret in the place of each: first everybody accepts it, then everybody uses it. The old
 * one is accepted until {@link finishRotation}. Begun once and interrupted, it goes on where it was.
 * Throws `ROTATION_UNFINISHED` while an earlier one is.
 */
export async function rotate(names: readonly string[], options: RotationOptions): Promise<void> {
  const { dataFolder, progress } = options
  const { rotations = {} } = load(dataFolder)
  const unfinished = names.filter((name) => isEnding(rotations[name]))
  if (unfinished.length > 0) {
    const message = `The old secret is still accepted: ${unfinished.join(', ')}. Do away with it first: --finish.`
    throw new AppError('conflict', 'ROTATION_UNFINISHED', message)
  }
  change(dataFolder, names, 'accepted', (values, { create }, step) =>
    step === undefined ? [...values, create()] : values,
  )
  progress(`everybody learns to accept the new ${names.join(', ')}`)
  await restartFor(names, options)
  change(dataFolder, names, 'using', (values, _rotatable, step) =>
    step === 'using' ? values : [...values.slice(-1), ...values.slice(0, -1)],
  )
  if (names.includes('signing-keys')) {
    save(dataFolder, { ...load(dataFolder), signingKeysSince: new Date().toISOString() })
  }
  progress(`everybody begins to use the new ${names.join(', ')}`)
  await restartFor(names, options)
  // Whoever signs for the provider is told last, when both are accepted.
  if (names.includes('webhook-secret')) await options.restart(['stripe-sandbox'])
  change(dataFolder, names, 'used', (values) => values)
}

const isEnding = (rotation: Rotation | undefined) =>
  rotation?.step === 'used' || rotation?.step === 'finishing'

/**
 * Does away with the old secrets: what was made with them is refused from now on. Throws
 * `ROTATION_NOT_BEGUN`, and `ROTATION_TOO_SOON` while something of theirs may still be good, unless
 * it is forced.
 */
export async function finishRotation(
  names: readonly string[],
  options: RotationOptions & { isForced: boolean; now: Date },
): Promise<void> {
  const { dataFolder, isForced, now, progress } = options
  const { rotations = {} } = load(dataFolder)
  for (const name of names) {
    const rotation = rotations[name]
    if (!isEnding(rotation) || rotation === undefined) {
      const message = `There is no old secret of ${name} to do away with. Begin without --finish.`
      throw new AppError('conflict', 'ROTATION_NOT_BEGUN', message)
    }
    const until = new Date(Date.parse(rotation.at) + (rotatables[name]?.lifeMs ?? 0))
    if (isForced || until <= now) continue
    const message = `Until ${until.toISOString()} there may be something of ${name} that was made with the old secret. --force refuses it from now on.`
    throw new AppError('conflict', 'ROTATION_TOO_SOON', message)
  }
  change(dataFolder, names, 'finishing', (values) => values.slice(0, 1))
  progress(`the old ${names.join(', ')} is refused from now on`)
  await restartFor(names, options)
  const secrets = load(dataFolder)
  const left = Object.entries(secrets.rotations ?? {}).filter(([name]) => !names.includes(name))
  save(dataFolder, { ...secrets, rotations: Object.fromEntries(left) })
}

async function restartFor(names: readonly string[], { restart }: RotationOptions): Promise<void> {
  await restart([...new Set(names.flatMap((name) => rotatables[name]?.parts ?? []))])
}

type Change = (
  values: readonly unknown[],
  rotatable: Rotatable,
  step: Rotation['step'] | undefined,
) => readonly unknown[]

/** Writes all of them at once, with how far they are, so that nothing is half done. */
function change(
  dataFolder: string,
  names: readonly string[],
  step: Rotation['step'],
  toNext: Change,
): void {
  let secrets = load(dataFolder)
  const at = new Date().toISOString()
  for (const name of names) {
    const rotatable = rotatables[name]
    if (!rotatable) continue
    const before = secrets.rotations?.[name]
    // One that was interrupted further on goes on from there.
    if (step === 'accepted' && before?.step === 'using') continue
    const written = rotatable.write(toNext(rotatable.read(secrets), rotatable, before?.step))
    const rotations = { ...secrets.rotations, [name]: { step, at } }
    secrets = { ...secrets, ...written, rotations }
  }
  save(dataFolder, secrets)
}

const load = (dataFolder: string) => loadSecrets(dataFolder, databaseRoles)

function save(dataFolder: string, secrets: Secrets): void {
  writeJson(join(dataFolder, 'secrets.json'), secrets)
}
