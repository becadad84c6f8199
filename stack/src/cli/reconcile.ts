import type { Finding, Reconciliation } from '@halles/contracts/gen/http/payments'
import { agoOf, type Command } from './command.ts'
import { ago, table } from './table.ts'

// What the service's own job does not look at any more may still be asked for by hand.
const defaultBackMs = 24 * 3_600_000

export const reconcile: Command = {
  name: 'reconcile',
  summary: 'Compares the provider’s payments with ours and the orders; repairs what is safe.',
  words: [],
  options: { since: { type: 'string' }, until: { type: 'string' } },
  help: `  --since 2h            payments made since then (90s, 15m, 1h, 2d; 1d)
  --until 1h            and until then (now)

Exits 1 when there is something that a person has to look at.`,
  example: '--since 2h',
  async run(input, { session, show, progress }) {
    const now = new Date()
    const from = agoOf(input, 'since', now) ?? new Date(now.getTime() - defaultBackMs)
    const to = agoOf(input, 'until', now) ?? now
    const { call } = await session()
    const findings: Finding[] = []
    let compared = 0
    let repaired = 0
    let cursor: string | null = null
    do {
      const body = {
        from: from.toISOString(),
        to: to.toISOString(),
        ...(cursor === null ? {} : { cursor }),
      }
      const path = '/api/v1/payments/reconciliations'
      const part: Reconciliation = await call({
        method: 'POST',
        path,
        body: JSON.stringify(body),
      })
      compared += part.compared
      repaired += part.repaired
      findings.push(...part.findings)
      cursor = part.nextCursor
      if (cursor !== null) progress(`${compared} compared …`)
    } while (cursor !== null)
    const text = [
      `${compared} payments compared, ${repaired} repaired, ${findings.length} to look at.`,
      ...(findings.length > 0 ? ['', describe(findings, now)] : []),
    ].join('\n')
    const window = { from: from.toISOString(), to: to.toISOString() }
    show({ json: { ...window, compared, repaired, findings }, text })
    return findings.length === 0
  },
}

function describe(findings: readonly Finding[], now: Date): string {
  const rows = findings.map(({ kind, orderId, providerReference, detail, foundAt }) => [
    kind,
    ago(foundAt, now),
    orderId ?? '',
    providerReference ?? '',
    detail,
  ])
  return table(['KIND', 'AGO', 'ORDER', 'PROVIDER', 'WHAT'], rows)
}
