import { setTimeout as pause } from 'node:timers/promises'
import type { AsyncMessage, Channel } from 'rabbitmq-client'
import { attemptDelivery, type Limits } from '../../delivery.ts'
import type { Logger } from '../../logging.ts'
import { jitteredDelayMs } from '../../loop.ts'
import type { DeadLetter, Handler } from '../../messaging.ts'
import { crashesOf, type Held, recordOutcome, toHeld, triesOf, whyRefused } from './held.ts'
import type { Link } from './link.ts'
import { readDelivery, type Tries } from './message.ts'
import { createSubscription } from './subscription.ts'
import type { Topology } from './topology.ts'

export type RabbitmqConsumerOptions = {
  link: Link
  topology: Topology
  logger: Logger
  service: string
  queue: string
  handler: Handler
  limits: Limits
  prefetch: number
  /** Aborts when draining takes too long. */
  givingUp: AbortSignal
  /** What has to wait longer than this goes to the end of the queue. */
  holdMs: number
  /** What was quiet for as long subscribes anew. */
  idleMs: number
  /** Publishes a dead letter; resolves when it is stored. */
  bury(letter: DeadLetter): Promise<void>
  /** Publishes the message again, at the end of its queue; resolves when it is stored. */
  moveToEnd(message: Held['message'], tries: Tries): Promise<void>
}

export type RabbitmqConsumer = {
  ready: Promise<void>
  start(): void
  stop(): Promise<void>
}

// An acknowledged message keeps its place until a majority of the broker's disks has it: without
// some more on their way, handlers wait for disks (measured: two and a half times the rate). Not
// with a prefetch of one, which asks for fairness above all.
const readAheadFactor = 3
// What waits for its next try keeps no place of the prefetch, up to this many: it is in memory.
const maxWaiting = 100
// More than a process has in hand; after an absence of the broker some go to other processes.
const maxLost = 500
const endingBackoff = { baseMs: 100, maxMs: 5_000 }

/** Competing consumption of one queue by this process. */
export function createRabbitmqConsumer(options: RabbitmqConsumerOptions): RabbitmqConsumer {
  const { queue, handler, limits, prefetch, service, logger, givingUp } = options
  const readAhead = prefetch === 1 ? 1 : prefetch * readAheadFactor
  const inHand = new Set<Held>()
  const due = { fresh: new Set<Held>(), suspects: new Set<Held>() }
  /** Those whose channel was lost: delivered again here, they go on where they were. */
  let lost = new Map<string, Held>()
  let running = 0
  let waiting = 0
  let isSuspectRunning = false
  let isStopping = false
  let capacity = 1
  let isWide = false
  let onChange: () => void = () => undefined

  const subscription = createSubscription({
    ...options,
    onDelivery: take,
    onLost: loseAll,
    isIdle: () => inHand.size === 0,
  })

  function take(delivery: AsyncMessage, channel: Channel): void {
    // The client hands over what it had read before the channel was lost.
    if (!channel.active) return
    const incoming = readDelivery(delivery, queue)
    const known = lost.get(incoming.message.id)
    const held = known ?? toHeld(incoming)
    if (known) {
      lost.delete(known.message.id)
      known.forgiven += incoming.deliveries - known.deliveries
      known.deliveries = incoming.deliveries
    }
    const { deliveryTag } = delivery
    held.receipt = { channel, deliveryTag, sinceMs: performance.now() }
    inHand.add(held)
    // What came back from a process that ended is delivered before all else. As long as there may
    // be some of it, one message at a time: so that a process which ends has one in hand.
    if (incoming.deliveries === 0) isWide = true
    goOn(held)
    adjustCapacity()
  }

  function loseAll(): void {
    // Others may have got those that do not come back: they are forgotten in time.
    const found = [...lost.values(), ...inHand].slice(-maxLost)
    lost = new Map(found.map((held) => [held.message.id, held]))
    for (const held of inHand) {
      held.receipt = undefined
      stopWaiting(held)
    }
    inHand.clear()
    due.fresh.clear()
    due.suspects.clear()
    capacity = 1
    isWide = false
    onChange()
  }

  /** One more than are here when all places are taken, no more than wait for their next try. */
  function adjustCapacity(): void {
    if (isStopping) return
    const base = isWide ? readAhead : 1
    const most = base + Math.min(waiting, maxWaiting)
    const wanted = inHand.size >= capacity ? Math.max(base, capacity + 1) : capacity
    const next = Math.min(wanted, most)
    if (next === capacity) return
    capacity = next
    subscription.setCapacity(capacity)
  }

  function stopWaiting(held: Held): void {
    if (held.timer === undefined) return
    clearTimeout(held.timer)
    held.timer = undefined
    waiting -= 1
  }

  /** Does what is next for a message that is in hand and not with its handler. */
  function goOn(held: Held): void {
    const { receipt, tries, isRunning } = held
    if (isRunning || receipt === undefined) return
    // With its history, which would be lost if the broker took it back.
    if (isStopping) held.ending ??= { how: 'moved' }
    if (held.ending) {
      void end(held)
      return
    }
    const waitMs = (tries.retryAt ?? 0) - Date.now()
    if (waitMs > 0) {
      const leftMs = options.holdMs - (performance.now() - receipt.sinceMs)
      held.timer = setTimeout(() => endWait(held), Math.max(Math.min(waitMs, leftMs), 0))
      waiting += 1
      return
    }
    due[crashesOf(held) > 0 ? 'suspects' : 'fresh'].add(held)
    runNext()
  }

  function endWait(held: Held): void {
    stopWaiting(held)
    const isTooLong = (held.tries.retryAt ?? 0) - Date.now() > 1
    if (isTooLong) held.ending = { how: 'moved' }
    goOn(held)
    adjustCapacity()
  }

  /**
   * A process that ended raised the count of all that it had in hand, of which one was the cause.
   * Those are tried one at a time, the least suspect first and at random among equals.
   */
  function pickNext(): Held | undefined {
    if (due.suspects.size > 0 && !isSuspectRunning) {
      const fewest = Math.min(...[...due.suspects].map(crashesOf))
      const some = [...due.suspects].filter((held) => crashesOf(held) === fewest)
      return some[Math.floor(Math.random() * some.length)]
    }
    const [first] = due.fresh
    return first
  }

  function runNext(): void {
    while (running < prefetch && !isStopping) {
      const held = pickNext()
      if (held === undefined) return
      const isSuspect = due.suspects.delete(held)
      due.fresh.delete(held)
      running += 1
      if (isSuspect) isSuspectRunning = true
      void run(held).then(() => {
        running -= 1
        if (isSuspect) isSuspectRunning = false
        goOn(held)
        adjustCapacity()
        runNext()
        onChange()
      })
    }
  }

  async function run(held: Held): Promise<void> {
    const { message } = held
    const { deadlineMs } = limits
    const attempt = triesOf(held).count + 1
    held.isRunning = true
    const outcome =
      whyRefused(held, limits) ??
      (await attemptDelivery({ handler, message, attempt, deadlineMs, stopping: givingUp }))
    held.isRunning = false
    if (outcome !== 'done' && givingUp.aborted) return
    recordOutcome(held, outcome, { limits, queue, service })
    if (outcome === 'done' || held.ending) return
    const { code } = outcome.failure
    logger.warn({ queue, messageId: message.id, code }, 'a message will be retried')
  }

  async function tellBroker(held: Held): Promise<void> {
    const { ending, receipt, message } = held
    if (ending?.how === 'buried') await options.bury(ending.letter)
    if (ending?.how === 'moved') await options.moveToEnd(message, triesOf(held))
    if (held.receipt !== receipt) return
    receipt?.channel.basicAck({ deliveryTag: receipt.deliveryTag })
    if (ending?.how !== 'buried') return
    const { code } = ending.letter
    logger.error({ queue, messageId: message.id, code }, 'a message became a dead letter')
  }

  /** Repeats until the broker knows, or until the message is no longer in hand. */
  async function end(held: Held): Promise<void> {
    const { receipt } = held
    for (let failures = 1; held.receipt === receipt && !givingUp.aborted; failures += 1) {
      try {
        await tellBroker(held)
        if (held.receipt === receipt) inHand.delete(held)
        break
      } catch (error) {
        const fields = { err: error, queue, messageId: held.message.id }
        if (failures === 1) logger.warn(fields, 'an outcome is not recorded yet')
        await pause(jitteredDelayMs(endingBackoff, failures))
      }
    }
    adjustCapacity()
    onChange()
  }

  /** Waits until the hands are empty, or as long as the drain may take. */
  function untilEmpty(): Promise<void> {
    return new Promise((resolve) => {
      onChange = () => {
        if ((inHand.size === 0 && running === 0) || givingUp.aborted) resolve()
      }
      givingUp.addEventListener('abort', onChange, { once: true })
      onChange()
    })
  }

  return {
    ready: subscription.ready,
    start: subscription.start,
    async stop() {
      isStopping = true
      try {
        await subscription.cancel()
        for (const held of inHand) {
          if (held.ending) continue
          stopWaiting(held)
          goOn(held)
        }
        await untilEmpty()
        await subscription.close()
      } catch (error) {
        logger.warn({ err: error, queue }, 'a queue was not left in order')
      }
      for (const held of inHand) stopWaiting(held)
    },
  }
}
