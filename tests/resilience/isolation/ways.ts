import assert from 'node:assert/strict'
import { eventually } from '@halles/kit/testing'
import type { StackUnderTest } from '../../e2e/stack-under-test.ts'
import type { Service } from './pages.ts'

/** One instance of a service as one of its callers sees it. */
type Way = { caller: string; instance: string; isClosed: boolean }

// Callers read the list of addresses twice a second, and probe who is on it.
const followed = { limitMs: 30_000, intervalMs: 100 }

/** Resolves when every caller goes to the addresses that are published now, and nowhere else. */
export async function untilFollowed(stack: StackUnderTest, service: Service): Promise<void> {
  await eventually(async () => {
    const published = new Set(listed(stack, service))
    for (const { caller, instance } of await waysTo(stack, service)) {
      assert.ok(published.has(instance), `${caller} still goes to ${instance}.`)
    }
  }, followed)
}

/** No caller holds anything against an instance of one of the services. */
export async function assertTrusted(stack: StackUnderTest, some: readonly Service[]) {
  for (const service of some) {
    for (const { caller, isClosed } of await waysTo(stack, service)) {
      assert.ok(isClosed, `${caller} has a breaker open before ${service}.`)
    }
  }
}

function listed(stack: StackUnderTest, service: Service): string[] {
  const { ports } = stack.processes(service)[0] ?? { ports: {} }
  return ['http', 'grpc']
    .filter((kind) => kind in ports)
    .flatMap((kind) => stack.readJson(`discovery/${service}.${kind}.json`) as string[])
}

const breaker = /^upstream_breaker_open\{(?<labels>.*)\} (?<value>\S+)$/
const labelOf = (labels: string, name: string) =>
  new RegExp(`(?:^|,)${name}="([^"]*)"`).exec(labels)?.[1] ?? ''

/** What the gateways' and services' metrics say of their ways to the service. */
async function waysTo(stack: StackUnderTest, service: Service): Promise<Way[]> {
  const callers = stack.processes().filter(({ ports }) => ports.metrics !== undefined)
  const ways = await Promise.all(
    callers.map(async ({ instance: caller, ports }) => {
      const signal = AbortSignal.timeout(10_000)
      const answer = await fetch(`http://127.0.0.1:${ports.metrics}/metrics`, { signal })
      return (await answer.text()).split('\n').flatMap((line): Way[] => {
        const { labels = '', value } = breaker.exec(line)?.groups ?? {}
        if (labelOf(labels, 'upstream') !== service) return []
        return [{ caller, instance: labelOf(labels, 'address'), isClosed: value === '0' }]
      })
    }),
  )
  assert.ok(ways.flat().length > 0, `Nobody has a way to ${service}.`)
  return ways.flat()
}
