import type { Totals } from '@halles/contracts/gen/http/orders'
import { Money } from '../../design/Money.tsx'
import { formatMoney } from '../../text/format.ts'
import { useShopText } from '../../text/shop-text.ts'
import { useLanguage } from '../../text/use-language.ts'

/** What goods and delivery make together. */
export function TotalsList({ totals }: { totals: Totals }) {
  const { checkoutPage: text, total } = useShopText()
  const language = useLanguage()
  const { subtotal, shipping, taxIncluded } = totals
  return (
    <div className="stack">
      <dl className="totals">
        <dt>{text.subtotal}</dt>
        <dd>
          <Money value={subtotal} />
        </dd>
        <dt>{text.shipping}</dt>
        <dd>{shipping.amountMinor === 0 ? text.free : <Money value={shipping} />}</dd>
        <dt className="totals-sum">{total}</dt>
        <dd className="totals-sum">
          <Money value={totals.total} />
        </dd>
      </dl>
      {taxIncluded.amountMinor > 0 && (
        <p className="muted small">{text.tax(formatMoney(taxIncluded, language))}</p>
      )}
    </div>
  )
}
