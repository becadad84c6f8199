import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { type ProcessEntry, readProcesses } from '../../stack/src/supervisor.ts'

/** The shop that is played in. */
export type Target = {
  url: string
  admin: { email: string; password: string }
  /** True when it was started for this and nobody else shops in it. */
  isOwn: boolean
  /** What runs on this machine; empty when it runs elsewhere. */
  processes(): ProcessEntry[]
  /** The money at the provider, in pence; undefined without the sandbox's key. */
  ledger: (() => Promise<{ captured: number; refunded: number }>) | undefined
}

type Folder = { dataFolder: string; url?: string | undefined; isOwn: boolean }

// The sandbox sums all its charges, in a process that may be busy.
const ledgerLimitMs = 30_000

/** The shop that a stack's data folder tells of. */
export function targetOf({ dataFolder, url, isOwn }: Folder): Target {
  const folder = resolve(dataFolder)
  const read = (name: string): unknown => JSON.parse(readFileSync(join(folder, name), 'utf8'))
  const processes = () => readProcesses(folder)?.processes ?? []
  const sandbox = processes().find(({ part }) => part === 'stripe-sandbox')
  const known = url ?? readProcesses(folder)?.url
  if (known === undefined) throw new Error(`No shop runs on ${folder}; say where: --on URL.`)
  return {
    url: known.replace(/\/+$/, ''),
    admin: read('admin.json') as Target['admin'],
    isOwn,
    processes,
    ledger:
      sandbox &&
      (() => {
        const { stripeApiKey } = read('secrets.json') as { stripeApiKey: string }
        return readLedger(sandbox.ports.http, stripeApiKey)
      }),
  }
}

async function readLedger(port: number | undefined, key: string) {
  const answer = await fetch(`http://127.0.0.1:${port}/_sandbox/ledger`, {
    headers: { authorization: `Bearer ${key}` },
    signal: AbortSignal.timeout(ledgerLimitMs),
  })
  if (!answer.ok) throw new Error(`The sandbox's ledger answered ${answer.status}.`)
  const { ledger } = (await answer.json()) as {
    ledger: { currency: string; captured: number; refunded: number }[]
  }
  const { captured = 0, refunded = 0 } = ledger.find(({ currency }) => currency === 'gbp') ?? {}
  return { captured, refunded }
}
