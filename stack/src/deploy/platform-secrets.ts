import { composeSecrets } from '../compose-secrets.ts'
import { chartServices } from './chart-topology.ts'

// Accounts with the provider are given, not made up.
const givenByOthers = new Set(['STRIPE_API_KEY', 'STRIPE_WEBHOOK_SECRET'])

/** The keys that the chart takes from the platform's Secret. */
export function platformKeys(): string[] {
  const keys = Object.values(chartServices()).flatMap(({ secrets }) =>
    Object.entries(secrets).flatMap(([name, source]) => (source === 'platform' ? [name] : [])),
  )
  return [...new Set(keys)].sort()
}

/** New values for every key of the chart's Secret `secrets.secretName` that is ours to make. */
export function platformSecrets(): Record<string, string> {
  const made = composeSecrets()
  return Object.fromEntries(
    platformKeys()
      .filter((name) => !givenByOthers.has(name))
      .map((name) => {
        const value = made[name.toLowerCase().replaceAll('_', '-')]
        if (value === undefined) throw new Error(`Nobody makes a value for ${name}.`)
        return [name, value]
      }),
  )
}
