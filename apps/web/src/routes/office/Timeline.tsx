import { formatMoney } from '../../text/format.ts'
import { useOfficeText } from '../../text/office-text.ts'
import { useLanguage } from '../../text/use-language.ts'
import { Moment } from './bits.tsx'

type Entry = {
  at: string
  actor: { kind: 'shopper' | 'staff' | 'provider' | 'system'; subjectId: string | null }
  what: string
  details: Readonly<Record<string, unknown>>
}

/** What happened to an order, the last first. */
export function Timeline({ items, currency }: { items: readonly Entry[]; currency: string }) {
  const text = useOfficeText()
  const language = useLanguage()
  return (
    <section className="panel stack">
      <h2>{text.timeline}</h2>
      <ol className="office-timeline">
        {items.toReversed().map(({ at, actor, what, details }, index) => {
          const { amountMinor, reason } = details
          return (
            <li key={`${at} ${what} ${items.length - index}`}>
              <strong>{text.happened[what] ?? what}</strong>
              {typeof amountMinor === 'number' &&
                amountMinor > 0 &&
                ` · ${formatMoney({ amountMinor, currency }, language)}`}
              <br />
              <span className="muted small">
                <Moment at={at} /> · {text.actors[actor.kind]}
              </span>
              {typeof reason === 'string' && <p className="small">{reason}</p>}
            </li>
          )
        })}
      </ol>
    </section>
  )
}
