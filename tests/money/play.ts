import type { Command, History, Step } from './history.ts'
import { checkAccepted, checkStock } from './invariants.ts'
import { dashboard, loseWebhook, relay, runJob, webhook, webhookAgain } from './machines.ts'
import {
  cancel,
  changePrice,
  checkOut,
  comeBack,
  deliver,
  fulfil,
  pay,
  receipt,
  refund,
  refundSent,
  retry,
} from './people.ts'
import { createDice } from './schedule.ts'
import type { Sabotage } from './services.ts'
import { settleShop } from './settle.ts'
import { openShop, type Shop } from './shop.ts'
import type { World } from './world.ts'

export type Played = { orders: number; paid: number; capturedMinor: number; refundedMinor: number }

/**
 * Plays one history to its end and holds all that must be true of it.
 * @throws with what is not true, and everything that happened.
 */
export async function playHistory(
  world: World,
  history: History,
  sabotage: Sabotage = {},
): Promise<Played> {
  const lines: string[] = []
  try {
    const shop = await openShop(world, history, sabotage)
    for (const step of history.steps) lines.push(...(await playStep(shop, step)))
    return await settleShop(shop, lines)
  } catch (error) {
    lines.push(...world.schedule.takeTrace().map((line) => `    ${line}`))
    await world.wipe()
    const reason = error instanceof Error ? error.message : String(error)
    throw new Error(`${reason}\n${lines.join('\n')}`, { cause: error })
  }
}

async function playStep(shop: Shop, { commands, dice, fault }: Step): Promise<string[]> {
  // Time passes from one to the next: nothing that people do is in the same second.
  await shop.clock.advance(1_500)
  const works = commands.map((command) => () => perform(shop, command))
  const results = await shop.schedule.run(works, { choose: createDice(dice), fault })
  const lines = commands.map((command, index) => {
    const result = results[index]
    const told = result?.status === 'fulfilled' ? result.value : result?.reason
    return `  ${JSON.stringify(command)} → ${told}`
  })
  const broken = results.find((result) => result.status === 'rejected')
  if (broken) throw new Error(lines.join('\n'), { cause: broken.reason })
  lines.push(...shop.schedule.takeTrace().map((line) => `      ${line}`))
  await holdStep(shop, lines)
  return lines
}

/** What must be true at every moment. */
export async function holdStep(shop: Shop, lines: readonly string[]): Promise<void> {
  const [bug] = shop.schedule.takeBugs()
  if (bug !== undefined) {
    const stack = bug instanceof Error ? bug.stack : String(bug)
    throw new Error(`A service failed with what is no answer: ${stack}\n${lines.join('\n')}`)
  }
  const faults = [
    ...shop.faults.splice(0),
    ...(await checkAccepted(shop)),
    ...(await checkStock(shop)),
  ]
  if (faults.length > 0) throw new Error(`${faults.join('\n')}\nAfter:\n${lines.join('\n')}`)
}

function perform(shop: Shop, command: Command): Promise<string> {
  switch (command.do) {
    case 'checkout':
      return checkOut(shop, command)
    case 'retry':
      return retry(shop, command)
    case 'pay':
      return pay(shop, command)
    case 'return':
      return comeBack(shop, command)
    case 'cancel':
      return cancel(shop, command)
    case 'fulfil':
      return fulfil(shop, command)
    case 'deliver':
      return deliver(shop, command)
    case 'refund':
      return refund(shop, command)
    case 'receipt':
      return receipt(shop, command)
    case 'refund sent':
      return refundSent(shop, command)
    case 'webhook':
      return webhook(shop, command)
    case 'webhook again':
      return webhookAgain(shop, command)
    case 'lose webhook':
      return loseWebhook(shop, command)
    case 'dashboard':
      return dashboard(shop, command)
    case 'relay':
      return relay(shop, command)
    case 'price':
      return changePrice(shop, command)
    case 'job':
      return runJob(shop, command.which)
    default:
      return performNature(shop, command)
  }
}

type Nature = Extract<Command, { do: 'bank' | 'time' | 'provider fails' }>

async function performNature(
  { provider, clock, schedule }: Shop,
  command: Nature,
): Promise<string> {
  if (command.do === 'bank') {
    const kinds = ['debit', 'refund', 'dispute', 'verdict'] as const
    return schedule.step('banks', async () => `${provider.runTasks(kinds)}`)
  }
  if (command.do === 'time') {
    await schedule.step('time', async () => {
      await clock.advance(command.ms)
      provider.expireDue()
      provider.runTasks(['authorization_end'], clock.now())
    })
    return 'passed'
  }
  const { kind, skip } = command
  provider.faults.add({
    target: 'api',
    kind,
    match: kind === 'decline' ? 'refunds.create' : '*',
    count: 1,
    skip,
    probability: 1,
    seed: 1,
    delayMs: 0,
    status: 500,
    copies: 1,
    shouldRetry: false,
    retryAfterSeconds: null,
  })
  return 'ready'
}
