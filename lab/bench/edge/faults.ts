import { eventually } from '@halles/kit/testing'
import { findPrograms } from '../../../stack/src/brokers/programs.ts'
import { createApi } from '../../../tests/e2e/api.ts'
import { createShop, type Shop } from '../../../tests/e2e/shop.ts'
import { type Walk, withTraffic } from '../../../tests/e2e/traffic.ts'
import { walksOf } from '../../../tests/e2e/walks.ts'
import { type SteadyReads, startSteadyReads } from '../../../tests/resilience/steady-reads.ts'
import { stopAfter } from './servers.ts'

export type FaultResult = {
  title: string
  requests: number
  failures: readonly string[]
  slowestMs: number
  /** Until everything was ready again. */
  tookSeconds: number
}

export type FaultReport = {
  /** What stands before the gateways, and what carries the messages. */
  edge: string
  perSecond: number
  results: FaultResult[]
}

const perSecond = 300
// What is read before a fault and after it: connections stand then, and a late failure shows.
const aroundRequests = 1_500
// Two starts and two drains of every part, on cores that the load takes half of.
const recovery = { limitMs: 120_000, intervalMs: 50 }

/**
 * Breaks a stack of two gateways under steady load: half of the reads are answered by the gateways'
 * caches, the others by a service.
 */
export async function breakEdge(say: (text: string) => void): Promise<FaultReport> {
  const { stackArguments, edge } = chooseEdge()
  say(`Starting two gateways: ${edge} …`)
  const shop = createShop(
    { HALLES_GATEWAY_RATE_LIMIT_FACTOR: '0', DEMO_CATALOGUE: 'false', LOG_LEVEL: 'warn' },
    stackArguments,
  )
  return stopAfter(shop.stack.stop, async () => {
    await shop.stack.start()
    const product = await shop.sell({ quantity: 1_000_000 })
    const cart = await shop.cartWith({ [product.variantId]: 1 })
    const targets = ['/api/v1/products?limit=5', `/api/v1/carts/${cart.id}`]
    const read = () => startSteadyReads(shop.stack.url, { targets, perSecond })
    const { token } = await shop.signUp()
    const api = createApi(() => shop.stack.url, { readTries: 1 })
    say('Killing a gateway …')
    const killed = await killGateway(shop, read())
    say('Restarting everything, one process after another …')
    const rolled = await restartAll(shop, read(), walksOf(api, product, token))
    return { edge, perSecond, results: [killed, rolled] }
  })
}

function chooseEdge(): { stackArguments: string[]; edge: string } {
  const { haproxy, rabbitmqServer, java, kafkaJars } = findPrograms()
  if (!haproxy) {
    return {
      stackArguments: ['--edge', 'shared-port'],
      edge: 'they share the port, since HAProxy is not installed',
    }
  }
  const stackArguments = ['--edge', 'haproxy']
  if (!rabbitmqServer || !java || !kafkaJars) {
    return { stackArguments, edge: 'behind HAProxy, messages in PostgreSQL' }
  }
  stackArguments.push('--brokers')
  return { stackArguments, edge: 'behind HAProxy, messages in RabbitMQ and Kafka' }
}

function readMore(reads: SteadyReads): Promise<unknown> {
  const from = reads.figures().requests
  return eventually(() => reads.figures().requests - from >= aroundRequests, recovery)
}

async function killGateway({ stack }: Shop, reads: SteadyReads): Promise<FaultResult> {
  await readMore(reads)
  const atMs = performance.now()
  const [killed] = stack.kill('gateway-1')
  await eventually(() => {
    const [now] = stack.processes('gateway-1')
    return now?.state === 'ready' && now.pid !== killed
  }, recovery)
  const tookSeconds = (performance.now() - atMs) / 1_000
  await readMore(reads)
  return { title: 'kill -9 of one gateway, reads', tookSeconds, ...(await reads.stop()) }
}

async function restartAll(
  { stack }: Shop,
  reads: SteadyReads,
  walks: readonly Walk[],
): Promise<FaultResult> {
  let walked = 0
  const counted = walks.map(({ name, work }) => ({
    name,
    async work() {
      walked += 1
      await work()
    },
  }))
  await readMore(reads)
  let tookSeconds = 0
  const failedWalks = await withTraffic(counted, async () => {
    const atMs = performance.now()
    await stack.restart('all')
    tookSeconds = (performance.now() - atMs) / 1_000
    await readMore(reads)
  })
  const { requests, failures, slowestMs } = await reads.stop()
  return {
    title: `restart --all, reads and ${walked} walks of changes`,
    ...{ requests, slowestMs, tookSeconds },
    failures: [...failedWalks, ...failures],
  }
}
