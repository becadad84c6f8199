import fc from 'fast-check'
import { type Fault, faultKinds } from './schedule.ts'

/** Numbers that name one of what there is, whatever there is: the n-th of so many. */
type Nth = number

export const cards = {
  good: { number: '4242424242424242' },
  declined: { number: '4000000000000002' },
  authenticated: { number: '4000002500003155' },
  'pending refunds': { number: '4000000000007726' },
  'failing refunds': { number: '4000000000005126' },
  disputed: { number: '4000000000000259' },
  debit: { iban: 'DE89370400440532013000' },
  'failing debit': { iban: 'DE62370400440532013001' },
} as const satisfies Record<string, Record<string, string>>

export const dashboardActs = [
  'refund',
  'refund a part',
  'refund that fails',
  'refund that waits',
  'fail a refund',
  'capture',
  'capture a part',
  'cancel',
  'dispute',
  'dispute a part',
  'inquiry',
  'win',
  'lose',
  'expire',
] as const

export const jobs = [
  'sweeper',
  'expiry',
  'cancellations',
  'refunds',
  'reservations',
  'reconciliation',
] as const

export type Command =
  | {
      do: 'checkout'
      lines: { variant: Nth; quantity: number }[]
      method: 'online' | 'bank_transfer'
      times: number
    }
  | { do: 'retry'; order: Nth }
  | { do: 'pay'; order: Nth; with: keyof typeof cards }
  | { do: 'return'; order: Nth }
  | { do: 'cancel'; order: Nth }
  | { do: 'fulfil'; order: Nth; line: Nth; quantity: number; key: number }
  | { do: 'deliver'; order: Nth; which: Nth }
  | {
      do: 'refund'
      order: Nth
      what: 'line' | 'amount' | 'rest'
      of: number
      isReturned: boolean
      key: number
    }
  | { do: 'receipt'; order: Nth; isRight: boolean }
  | { do: 'refund sent'; order: Nth }
  | { do: 'webhook'; which: Nth }
  | { do: 'webhook again'; which: Nth }
  | { do: 'lose webhook'; which: Nth }
  | { do: 'dashboard'; order: Nth; act: (typeof dashboardActs)[number] }
  | { do: 'bank' }
  | { do: 'job'; which: (typeof jobs)[number] }
  | { do: 'relay'; copies: number }
  | { do: 'price'; variant: Nth; amountMinor: number; isHeard: boolean }
  | { do: 'time'; ms: number }
  | { do: 'provider fails'; kind: (typeof providerFaults)[number]; skip: number }

/** Without the SDK's own repetition, which would wait for real. */
export const providerFaults = [
  'error_before',
  'error_after',
  'sticky_error_after',
  'decline',
] as const

/** Commands at once, whose steps interleave as the dice fall, and what breaks meanwhile. */
export type Step = { commands: Command[]; dice: number; fault: Fault | null }

export type History = {
  captureMethod: 'automatic' | 'manual'
  stock: number[]
  steps: Step[]
}

const minutes = 60_000
const nth = fc.nat(11)
const quantity = fc.integer({ min: 1, max: 3 })

const checkout = fc.record({
  do: fc.constant('checkout' as const),
  lines: fc.array(fc.record({ variant: nth, quantity }), { minLength: 1, maxLength: 2 }),
  method: fc.constantFrom(
    'online' as const,
    'online' as const,
    'online' as const,
    'bank_transfer' as const,
  ),
  times: fc.constantFrom(1, 1, 1, 2),
})
const payment = fc.record({
  do: fc.constant('pay' as const),
  order: nth,
  with: fc.constantFrom(
    'good' as const,
    'good' as const,
    'good' as const,
    ...(Object.keys(cards) as (keyof typeof cards)[]),
  ),
})

const refunds = fc.record({
  do: fc.constant('refund' as const),
  order: nth,
  what: fc.constantFrom('line' as const, 'amount' as const, 'rest' as const),
  of: fc.integer({ min: 1, max: 4 }),
  isReturned: fc.boolean(),
  key: fc.nat(2),
})

const commands: fc.Arbitrary<Command> = fc.oneof(
  { weight: 5, arbitrary: checkout },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('retry' as const), order: nth }) },
  { weight: 6, arbitrary: payment },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('return' as const), order: nth }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('cancel' as const), order: nth }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('fulfil' as const),
      order: nth,
      line: nth,
      quantity,
      key: fc.nat(2),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('deliver' as const), order: nth, which: nth }),
  },
  { weight: 5, arbitrary: refunds },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('receipt' as const),
      order: nth,
      isRight: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('refund sent' as const), order: nth }) },
  { weight: 9, arbitrary: fc.record({ do: fc.constant('webhook' as const), which: nth }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('webhook again' as const), which: nth }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('lose webhook' as const), which: nth }) },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('dashboard' as const),
      order: nth,
      act: fc.constantFrom(...dashboardActs),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('bank' as const) }) },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant('job' as const), which: fc.constantFrom(...jobs) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant('relay' as const), copies: fc.constantFrom(1, 1, 2) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('price' as const),
      variant: nth,
      amountMinor: fc.integer({ min: 0, max: 4_000 }),
      isHeard: fc.boolean(),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('time' as const),
      ms: fc.constantFrom(
        7_000,
        2 * minutes,
        12 * minutes,
        40 * minutes,
        70 * minutes,
        8 * 1_440 * minutes,
      ),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('provider fails' as const),
      kind: fc.constantFrom(...providerFaults),
      skip: fc.nat(2),
    }),
  },
)

/** Two things that happen to one order at once. */
const race: fc.Arbitrary<Command[]> = fc
  .array(
    commands.filter((command) => 'order' in command || command.do === 'webhook'),
    { minLength: 2, maxLength: 2 },
  )
  .chain((pair) => nth.map((order) => pair.map((command) => ({ ...command, order }))))
const refundRace: fc.Arbitrary<Command[]> = fc
  .tuple(nth, refunds, refunds)
  .map(([order, ...pair]) => pair.map((command) => ({ ...command, order })))

const fault = fc.option(fc.record({ at: fc.nat(24), kind: fc.constantFrom(...faultKinds) }), {
  freq: 2,
  nil: null,
})
// Long ones find more than many short ones; what fails is made short afterwards.
const size = 'max' as const
const dice = fc.nat(999)

const step: fc.Arbitrary<Step> = fc.record({
  commands: fc.oneof(
    { weight: 3, arbitrary: fc.tuple(commands) },
    { weight: 1, arbitrary: fc.array(commands, { minLength: 2, maxLength: 3, size }) },
    { weight: 1, arbitrary: fc.oneof(race, race, refundRace) },
  ),
  dice,
  fault,
})

/** Most of what can go wrong needs something that was bought. */
const purchase: fc.Arbitrary<Step[]> = fc.tuple(
  fc.record({ commands: fc.tuple(checkout), dice, fault: fc.constant(null) }),
  fc.record({ commands: fc.tuple(payment), dice, fault: fc.constant(null) }),
)

export const histories: fc.Arbitrary<History> = fc.record({
  captureMethod: fc.constantFrom('automatic' as const, 'automatic' as const, 'manual' as const),
  stock: fc.tuple(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 6 })),
  steps: fc
    .tuple(
      fc.array(purchase, { minLength: 0, maxLength: 3, size }),
      fc.array(step, { minLength: 0, maxLength: 16, size }),
    )
    .map(([purchases, steps]) => [...purchases.flat(), ...steps]),
})

/** One line for each step. */
export function describeHistory({ captureMethod, stock, steps }: History): string {
  const lines = steps.map(({ commands: each, dice, fault: broken }) => {
    const told = each.map((command) => JSON.stringify(command)).join(' ‖ ')
    const how = each.length > 1 || broken ? `  dice ${dice}` : ''
    return `${told}${how}${broken ? `  ${broken.kind} at ${broken.at}` : ''}`
  })
  return [`${captureMethod} capture, stock ${stock.join(', ')}`, ...lines].join('\n')
}
