import { formatMoney } from '../text/format.ts'
import { useLanguage } from '../text/use-language.ts'

type Amount = { amountMinor: number; currency: string }

/** An amount in the page's language; with `was`, the former one struck through before it. */
export function Money({
  value,
  was,
  wasLabel,
}: {
  value: Amount
  was?: Amount | null
  wasLabel?: string
}) {
  const language = useLanguage()
  if (!was || was.amountMinor === value.amountMinor) {
    return <span className="money">{formatMoney(value, language)}</span>
  }
  return (
    <span className="money">
      <del>
        {wasLabel && <span className="visually-hidden">{wasLabel} </span>}
        {formatMoney(was, language)}
      </del>
      <ins>{formatMoney(value, language)}</ins>
    </span>
  )
}
