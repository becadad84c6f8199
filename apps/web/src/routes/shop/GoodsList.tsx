import type { ReactNode } from 'react'
import { Money } from '../../design/Money.tsx'
import { Picture } from '../../design/Picture.tsx'
import { useShopText } from '../../text/shop-text.ts'
import { variantName } from './variant-name.ts'

type Amount = { amountMinor: number; currency: string }
type Goods = {
  variantId: string
  title: string
  variantTitle: string
  quantity: number
  unitPrice: Amount
  total: Amount
  /** What the shopper saw before, where it differs. */
  was?: Amount | undefined
}

/** What is bought or was bought; `note` says more of a line. */
export function GoodsList({
  lines,
  note,
}: {
  lines: readonly Goods[]
  note?: (line: Goods) => ReactNode
}) {
  const { order, former } = useShopText()
  return (
    <ul className="goods">
      {lines.map((line) => (
        <li key={line.variantId} className="goods-line">
          <Picture of={{ name: line.title }} size={64} />
          <div>
            <p className="goods-title">{line.title}</p>
            <p className="muted small">
              {variantName(line.variantTitle) && `${line.variantTitle} · `}
              {order.pieces(line.quantity)}{' '}
              <Money value={line.unitPrice} was={line.was ?? null} wasLabel={former} />
            </p>
            {note?.(line)}
          </div>
          <p className="goods-total">
            <Money value={line.total} />
          </p>
        </li>
      ))}
    </ul>
  )
}
