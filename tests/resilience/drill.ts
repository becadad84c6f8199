import assert from 'node:assert/strict'
import { test } from 'node:test'
import { address as commands } from '@halles/contracts/gen/messages/customers'
import { findComplaints } from './checker.ts'
import { type Facts, gatherFacts } from './facts.ts'
import type { Fault } from './faults.ts'
import { type Platform, startPlatform } from './platform.ts'
import { untilSettled } from './settled.ts'
import { findVisibleComplaints } from './storefront.ts'
import { type Counts, changeEverything, type Memory, openForBusiness } from './workload.ts'

/** A platform at work: customers who change their passwords, prices that change. */
export type Drill = {
  readonly platform: Platform
  readonly memory: Memory
  open(): Promise<void>
  close(): Promise<void>
  /** A test: strikes in the middle of the work and holds what was promised against what is known. */
  survives(fault: Fault, options?: { check?(outcome: Outcome): void; skip?: string | false }): void
}

/** What a fault has done. */
export type Outcome = {
  counts: Counts
  facts: Facts
  settledAfterMs: number
  /** Deliveries that changed nothing, since the message had been applied; unknown after a crash. */
  absorbed: number | undefined
}

const customers = Number(process.env.HALLES_FAULT_CUSTOMERS ?? 200)
const changesEach = 2
// Two changes of 200 passwords are 10 s of hashing on two idle cores; an outage adds to that.
const workLimitMs = 150_000

export function createDrill(): Drill {
  let started: { platform: Platform; memory: Memory } | undefined
  const current = () => {
    if (!started) throw new Error('The platform has not been started.')
    return started
  }
  return {
    get platform() {
      return current().platform
    },
    get memory() {
      return current().memory
    },
    async open() {
      const platform = await startPlatform()
      try {
        started = { platform, memory: await openForBusiness(platform.shop, customers) }
      } catch (error) {
        await platform.stop()
        throw error
      }
    },
    close: async () => started?.platform.stop(),
    survives(fault, { check, skip = false } = {}) {
      const title = `${fault.title}: every accepted change has arrived, once and in order`
      test(title, { skip }, async (t) => {
        const { platform, memory } = current()
        const outcome = await weather(platform, memory, fault)
        t.diagnostic(`${fault.title}: ${describeOutcome(outcome)}`)
        const complaints = [
          ...findComplaints(memory, outcome.facts),
          ...(await findVisibleComplaints(platform, memory)),
        ]
        assert.deepEqual(complaints, [])
        check?.(outcome)
      })
    },
  }
}

async function weather(platform: Platform, memory: Memory, fault: Fault): Promise<Outcome> {
  const before = await handledCommands(platform)
  const counts = await changeEverything(platform.shop, memory, {
    changesEach,
    limitMs: workLimitMs,
    strike: () => fault.strike(platform),
  })
  const endedAt = performance.now()
  await untilSettled(platform)
  const settledAfterMs = performance.now() - endedAt
  const facts = await gatherFacts(platform, memory)
  const after = await handledCommands(platform)
  const isSame = before.pid === after.pid
  const absorbed = isSame ? after.handled - before.handled - counts.passwords : undefined
  return { counts, facts, settledAfterMs, absorbed }
}

/** How many commands the living process of auth has taken from the queue and finished. */
async function handledCommands({ shop: { stack } }: Platform) {
  const [auth] = stack.processes('auth')
  const answer = await fetch(`http://127.0.0.1:${auth?.ports.metrics}/metrics`)
  const lines = (await answer.text()).split('\n').filter((line) => {
    const isCount = line.startsWith('message_handling_seconds_count')
    return isCount && line.includes(commands.name) && line.includes('outcome="done"')
  })
  return {
    pid: auth?.pid,
    handled: lines.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0),
  }
}

function describeOutcome({ counts, facts, settledAfterMs, absorbed }: Outcome): string {
  const { passwords, prices, duringFault, unanswered } = counts
  return [
    `${passwords} passwords and ${prices} prices accepted (${duringFault} during the fault)`,
    `${unanswered} requests without an answer`,
    `${facts.commandsApplied} of ${facts.commandsSent} commands applied in all`,
    `${absorbed ?? 'uncounted'} repeated commands and ${facts.repeatedEvents} repeated events absorbed`,
    `settled after ${(settledAfterMs / 1_000).toFixed(1)} s`,
  ].join(', ')
}
