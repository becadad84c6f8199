import { createHash, randomBytes } from 'node:crypto'
import type { Secrets } from '../secrets.ts'
import type { SecretsRecord } from './manifest.ts'

/** What the data are sealed with; each may hold several while one replaces another, newest first. */
function sealingSecrets(secrets: Secrets): Record<string, readonly string[]> {
  return {
    signingKeySecret: secrets.signingKeySecret.split(','),
    sessionSecret: secrets.sessionSecret.split(','),
    orderTokenSecret: secrets.orderTokenSecret.split(','),
    credentialsKeys: secrets.credentialsKeys.map(({ kid }) => kid),
  }
}

const digest = (salt: string, value: string) =>
  createHash('sha256').update(`${salt}:${value}`).digest('hex')

/** Salted hashes of long random secrets: they tell a secret again and never what it is. */
export function recordSecrets(secrets: Secrets, isIncluded: boolean): SecretsRecord {
  const salt = randomBytes(16).toString('hex')
  const newest = Object.entries(sealingSecrets(secrets)).map(([name, values]) => [
    name,
    digest(salt, values[0] ?? ''),
  ])
  return { isIncluded, salt, digests: Object.fromEntries(newest) }
}

/** The names of those secrets that the data were sealed with and that are not among these. */
export function missingSecrets({ salt, digests }: SecretsRecord, secrets: Secrets): string[] {
  return Object.entries(sealingSecrets(secrets)).flatMap(([name, values]) =>
    values.some((value) => digest(salt, value) === digests[name]) ? [] : [name],
  )
}
