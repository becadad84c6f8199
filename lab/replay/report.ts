import { formatMoney } from '@halles/kit/money'
import { machine } from '../bench/report.ts'
import type { Balance } from './audit.ts'
import { currency } from './invoices.ts'
import type { Plan } from './plan.ts'
import type { Played } from './play.ts'
import type { UnplayedSum } from './unplayed.ts'

export type Report = {
  at: string
  machine: ReturnType<typeof machine>
  counts: Plan['counts'] & { orders: number; refunds: number }
  played: Pick<Played, 'cartLines' | 'paid' | 'priceChanges' | 'refunds' | 'failures'> & {
    requests: number
    /** How often something was asked again. */
    retries: number
  }
  /** Pence: `file = purchased − returned + unplayed`. */
  money: Plan['money'] & { unplayedMinor: number }
  unplayed: UnplayedSum[]
  balance: Balance
  isBalanced: boolean
  seconds: { play: number; whole: number }
  perSecond: { orders: number; cartLines: number }
  /** By part; without the parts whose processor time cannot be read. */
  cpuMsPerOrder: Record<string, number>
}

type Facts = {
  plan: Plan
  played: Played
  requests: number
  retries: number
  balance: Balance
  seconds: Report['seconds']
  cpuMsPerOrder: Record<string, number>
}

export function toReport({ plan, played, requests, retries, balance, ...facts }: Facts): Report {
  const { seconds, cpuMsPerOrder } = facts
  const { cartLines, paid, priceChanges, refunds, failures } = played
  const unplayedMinor = plan.unplayed.amountMinor()
  const { fileMinor, purchasedMinor, returnedMinor } = plan.money
  const isCounted = fileMinor === purchasedMinor - returnedMinor + unplayedMinor
  const orders = plan.steps.filter(({ kind }) => kind === 'purchase').length
  return {
    at: new Date().toISOString(),
    machine: machine(),
    counts: { ...plan.counts, orders, refunds: plan.steps.length - orders },
    played: { cartLines, paid, priceChanges, refunds, failures, requests, retries },
    money: { ...plan.money, unplayedMinor },
    unplayed: plan.unplayed.sums(),
    balance,
    isBalanced: isCounted && failures.length === 0 && balance.differences.length === 0,
    seconds,
    perSecond: { orders: paid / seconds.play, cartLines: cartLines / seconds.play },
    cpuMsPerOrder,
  }
}

const count = (value: number) => Math.round(value).toLocaleString('en')
const money = (amountMinor: number) => formatMoney({ amountMinor, currency }, 'en-GB')
const shown = 20

export function toText(report: Report): string {
  return [
    playedText(report),
    unplayedText(report),
    balanceText(report),
    costText(report),
    list(
      'Failures',
      report.played.failures.map(({ key, why }) => `${key}: ${why}`),
    ),
    list('Differences', report.balance.differences),
    report.isBalanced ? 'The books balance to the penny.' : 'THE BOOKS DO NOT BALANCE.',
  ]
    .filter((text) => text !== '')
    .join('\n\n')
}

function playedText({ counts, played }: Report): string {
  const { purchaseInvoices, cancellationInvoices } = counts
  const invoices = [
    `${count(counts.playedPurchaseInvoices)} of ${count(purchaseInvoices)} purchases`,
    `${count(counts.playedCancellationInvoices)} of ${count(cancellationInvoices)} cancellations`,
  ]
  return table([
    ['invoices', invoices.join(', ')],
    ['rows', `${count(counts.rows)}, of which ${count(counts.purchaseRows)} are bought`],
    ['customers', `${count(counts.customers)}, besides guests`],
    ['cart lines', `${count(played.cartLines)}`],
    ['price changes', `${count(played.priceChanges)} of ${count(counts.priceChanges)}`],
    ['orders paid', `${count(played.paid)} of ${count(counts.orders)}`],
    ['refunds', `${count(played.refunds)} of ${count(counts.refunds)}`],
    ['requests', `${count(played.requests)}; asked again ${count(played.retries)} times`],
  ])
}

function unplayedText({ unplayed }: Report): string {
  const rows = unplayed.map(({ reason, parts, pieces, amountMinor }) => [
    reason,
    count(parts),
    count(pieces),
    money(amountMinor),
  ])
  return `Not played\n${table([['reason', 'rows', 'pieces', 'amount'], ...rows])}`
}

function balanceText({ money: sums, balance: { file, shop, provider } }: Report): string {
  const row = (name: string, { paid, refunded }: { paid: number; refunded: number }) => [
    name,
    money(paid),
    money(refunded),
    money(paid - refunded),
  ]
  const rows = [
    ['', 'paid', 'refunded', 'kept'],
    row('the file, as far as it is played', file),
    row('the shop: its orders', shop),
    ...(provider ? [row('the provider: its ledger', provider)] : []),
  ]
  const whole = `The whole file is ${money(sums.fileMinor)}: ${money(sums.purchasedMinor)} played as purchases, ${money(0 - sums.returnedMinor)} as refunds, ${money(sums.unplayedMinor)} not played.`
  return `${table(rows)}\n${whole}`
}

function costText({ machine: { cores, model, node }, seconds, ...report }: Report): string {
  const { perSecond, cpuMsPerOrder } = report
  const parts = Object.entries(cpuMsPerOrder).sort(([, a], [, b]) => b - a)
  const total = parts.reduce((sum, [, ms]) => sum + ms, 0)
  const cpu = [...parts, ['all', total] as const].map(([part, ms]) => [part, ms.toFixed(1)])
  return [
    `Played in ${seconds.play.toFixed(1)} s (${seconds.whole.toFixed(1)} s with sign-ups, import and audit) on ${cores} × ${model}, Node ${node}:`,
    `${perSecond.orders.toFixed(1)} orders and ${count(perSecond.cartLines)} cart lines a second.`,
    ...(parts.length > 0 ? ['', 'Processor milliseconds per order', table(cpu)] : []),
  ].join('\n')
}

function list(title: string, lines: readonly string[]): string {
  if (lines.length === 0) return ''
  const more = lines.length > shown ? [`… and ${count(lines.length - shown)} more`] : []
  return [`${title} (${count(lines.length)})`, ...lines.slice(0, shown), ...more].join('\n  ')
}

function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_cell, column) =>
    Math.max(...rows.map((row) => (row[column] ?? '').length)),
  )
  const isWords = widths.length === 2
  const line = (row: readonly string[]) =>
    row.map((cell, column) => {
      const width = widths[column] ?? 0
      return column === 0 || isWords ? cell.padEnd(width) : cell.padStart(width)
    })
  return rows.map((row) => `  ${line(row).join('  ').trimEnd()}`).join('\n')
}
