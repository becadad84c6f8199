import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { publicPart } from '@halles/kit/sealing-keys'
import { loadSecrets } from '../secrets.ts'
import { chartServices } from './chart-topology.ts'

// Accounts with the provider are given, not made up.
const givenByOthers = new Set(['STRIPE_API_KEY', 'STRIPE_WEBHOOK_SECRET'])

/** New values for every key of the chart's Secret `secrets.secretName` that is ours to make. */
export function platformSecrets(): Record<string, string> {
  const temporary = mkdtempSync(join(tmpdir(), 'halles-secrets-'))
  try {
    const { admin, ...secrets } = loadSecrets(temporary, [])
    const [newest] = secrets.credentialsKeys.map(publicPart)
    const made: Record<string, string> = {
      INTERNAL_SECRET: secrets.internalSecret,
      SIGNING_KEY_SECRET: secrets.signingKeySecret,
      CREDENTIALS_PRIVATE_KEYS: JSON.stringify(secrets.credentialsKeys),
      CREDENTIALS_PUBLIC_KEY: JSON.stringify(newest),
      ORDER_TOKEN_SECRET: secrets.orderTokenSecret,
      SESSION_SECRET: secrets.sessionSecret,
      ADMIN_SUBJECT_ID: admin.subjectId,
      ADMIN_EMAIL: admin.email,
      ADMIN_PASSWORD: admin.password,
    }
    const wanted = platformKeys().filter((name) => !givenByOthers.has(name))
    return Object.fromEntries(wanted.map((name) => [name, takeFrom(made, name)]))
  } finally {
    rmSync(temporary, { recursive: true })
  }
}

/** The keys that the chart takes from the platform's Secret. */
export function platformKeys(): string[] {
  const keys = Object.values(chartServices()).flatMap(({ secrets }) =>
    Object.entries(secrets).flatMap(([name, source]) => (source === 'platform' ? [name] : [])),
  )
  return [...new Set(keys)].sort()
}

function takeFrom(made: Readonly<Record<string, string>>, name: string): string {
  const value = made[name]
  if (value === undefined) throw new Error(`Nobody makes a value for ${name}.`)
  return value
}
