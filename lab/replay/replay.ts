import { randomBytes } from 'node:crypto'
import { cpuPerRequest, readCpu } from '../bench/cpu.ts'
import { audit, readLedger } from './audit.ts'
import { createClient } from './client.ts'
import { importGoods } from './goods.ts'
import { currency } from './invoices.ts'
import { createPeople } from './people.ts'
import type { Plan } from './plan.ts'
import { type PlayOptions, play } from './play.ts'
import type { createProgress } from './progress.ts'
import { type Report, toReport } from './report.ts'
import type { Target } from './target.ts'

export type ReplayOptions = Pick<PlayOptions, 'inFlight' | 'speed'> & {
  say(text: string): void
  createProgress: typeof createProgress
}

// A step asks for one thing at a time, or sets the prices of its goods.
const connectionsPerStep = 3

/** Plays a plan in a shop and compares the books. Throws when it cannot even begin. */
export async function replay(
  plan: Plan,
  target: Target,
  { inFlight, speed, say, createProgress: start }: ReplayOptions,
): Promise<Report> {
  const startedAtMs = performance.now()
  const client = createClient(target.url, inFlight * connectionsPerStep)
  const people = createPeople(target, client, randomBytes(4).toString('hex'))
  try {
    say(`Importing ${plan.goods.length.toLocaleString('en')} goods …`)
    const goods = await importGoods(plan, { client, people, currency })
    const skus = plan.goods.map(({ sku }) => sku)
    const opening = { ledger: await readLedger(target), stock: await goods.stock(skus) }
    await signUpAll(plan, people, start)

    const units = plan.steps.reduce((total, { lines }) => total + lines.length, 0)
    const progress = start({ title: 'Invoices', total: units, unit: 'lines' })
    const onProgress = (done: number) => progress.add(done)
    const requestsBefore = client.counts().requests
    const cpuBefore = await readCpu(target.processes())
    const playedFromMs = performance.now()
    const played = await play(plan, { client, people, goods, inFlight, speed, onProgress })
    const playSeconds = (performance.now() - playedFromMs) / 1_000
    const cpuAfter = await readCpu(target.processes())
    const requests = client.counts().requests - requestsBefore
    progress.end()

    say('Comparing the books …')
    const balance = await audit({ plan, played, opening, target, client, people, goods })
    return toReport({
      plan,
      played,
      requests,
      retries: client.counts().retries,
      balance,
      seconds: { play: playSeconds, whole: (performance.now() - startedAtMs) / 1_000 },
      cpuMsPerOrder: cpuPerRequest(cpuBefore, cpuAfter, played.paid),
    })
  } finally {
    await client.close()
  }
}

async function signUpAll(
  { steps }: Plan,
  people: ReturnType<typeof createPeople>,
  start: ReplayOptions['createProgress'],
): Promise<void> {
  const named = steps.flatMap((step) =>
    step.kind === 'purchase' && step.customer !== null ? [step.customer] : [],
  )
  const customers = [...new Set(named)]
  const progress = start({ title: 'Customers', total: customers.length, unit: 'sign-ups' })
  await people.signUp(customers, () => progress.add(1))
  progress.end()
}
