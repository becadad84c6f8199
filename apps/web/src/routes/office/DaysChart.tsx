import { Money } from '../../design/Money.tsx'
import { Table } from '../../design/Table.tsx'
import { formatDate } from '../../text/format.ts'
import { useOfficeText } from '../../text/office-text.ts'
import { useLanguage } from '../../text/use-language.ts'

type Amount = { amountMinor: number; currency: string }
export type Day = { date: string; orders: number; revenue: Amount; refunded: Amount }

/** Orders, and revenue less what went back by currency, the largest first. */
export function sumDays(days: readonly Day[]): { orders: number; revenue: Amount[] } {
  const sums = new Map<string, number>()
  let orders = 0
  for (const day of days) {
    const { currency } = day.revenue
    orders += day.orders
    const net = day.revenue.amountMinor - day.refunded.amountMinor
    sums.set(currency, (sums.get(currency) ?? 0) + net)
  }
  const revenue = [...sums].map(([currency, amountMinor]) => ({ currency, amountMinor }))
  return { orders, revenue: revenue.sort((a, b) => b.amountMinor - a.amountMinor) }
}

const height = 120
const step = 20
const dayMs = 86_400_000

/** Orders by day as bars, and as a table for those who want the numbers. */
export function DaysChart({ days, from, count }: { days: Day[]; from: string; count: number }) {
  const text = useOfficeText()
  const language = useLanguage()
  const byDate = Map.groupBy(days, ({ date }) => date)
  const bars = Array.from({ length: count }, (_, index) => {
    const date = new Date(Date.parse(from) + index * dayMs).toISOString().slice(0, 10)
    return { date, orders: sumDays(byDate.get(date) ?? []).orders }
  })
  const most = Math.max(...bars.map(({ orders }) => orders))
  const total = bars.reduce((sum, { orders }) => sum + orders, 0)
  const said = text.ordersInAll(total, most)
  return (
    <section className="panel stack">
      <div className="office-head">
        <h2>{text.ordersByDay}</h2>
        <span className="muted">{said}</span>
      </div>
      <svg
        className="office-chart"
        viewBox={`0 0 ${count * step} ${height}`}
        preserveAspectRatio="none"
        role="img"
        aria-label={said}
      >
        {bars.map(({ date, orders }, index) => {
          const size = orders === 0 ? 2 : Math.max(6, (orders / most) * height)
          return (
            <rect
              key={date}
              x={index * step + 3}
              y={height - size}
              width={step - 6}
              height={size}
              data-empty={orders === 0 || undefined}
            >
              <title>{`${formatDate(date, language)}: ${orders}`}</title>
            </rect>
          )
        })}
      </svg>
      <p className="office-chart-ends small muted">
        <span>{formatDate(bars[0]?.date ?? from, language)}</span>
        <span>{formatDate(bars.at(-1)?.date ?? from, language)}</span>
      </p>
      {days.length > 0 && (
        <details>
          <summary>{text.asTable}</summary>
          <Table
            caption={text.ordersByDay}
            columns={[
              { label: text.day },
              { label: text.orders, isNumeric: true },
              { label: text.revenue, isNumeric: true },
              { label: text.refunded, isNumeric: true },
            ]}
          >
            {days.toReversed().map((day) => (
              <tr key={`${day.date} ${day.revenue.currency}`}>
                <th scope="row">{formatDate(day.date, language)}</th>
                <td className="end numeric">{day.orders}</td>
                <td className="end">
                  <Money value={day.revenue} />
                </td>
                <td className="end">
                  <Money value={day.refunded} />
                </td>
              </tr>
            ))}
          </Table>
        </details>
      )}
    </section>
  )
}
