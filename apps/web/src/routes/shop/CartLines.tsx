import type { CartLine } from '@halles/contracts/gen/http/carts'
import { Form, Link } from 'react-router'
import { Badge } from '../../design/Badge.tsx'
import { Button } from '../../design/Button.tsx'
import { Money } from '../../design/Money.tsx'
import { Picture } from '../../design/Picture.tsx'
import { formatMoney } from '../../text/format.ts'
import { useShopText } from '../../text/shop-text.ts'
import { useLanguage } from '../../text/use-language.ts'
import { usePath } from './use-path.ts'
import { variantName } from './variant-name.ts'

/** What is in the basket, each line with its own small form. */
export function CartLines({ lines }: { lines: readonly CartLine[] }) {
  return (
    <ul className="cart-lines">
      {lines.map((line) => (
        <li key={line.variantId}>
          <Line line={line} />
        </li>
      ))}
    </ul>
  )
}

function Line({ line }: { line: CartLine }) {
  const text = useShopText()
  const path = usePath()
  const { title, variantTitle, quantity, unitPrice, unitPriceWhenAdded, availability } = line
  return (
    <article className="cart-line">
      <Picture of={{ name: title }} size={96} />
      <div className="cart-line-words">
        <h2>
          <Link to={path(`/products/${line.productId}`)}>{title}</Link>
        </h2>
        {variantName(variantTitle) && <p className="muted small">{variantTitle}</p>}
        <p>
          <Money value={unitPrice} was={unitPriceWhenAdded} wasLabel={text.former} />
        </p>
        <PriceChange line={line} />
        {availability === 'out_of_stock' && <Badge tone="bad">{text.notInStock}</Badge>}
        {availability === 'low_stock' && <Badge tone="warn">{text.availability.low_stock}</Badge>}
      </div>
      <Form className="cart-line-form" method="post" action={path('/cart')} preventScrollReset>
        <input type="hidden" name="variantId" value={line.variantId} />
        <label className="visually-hidden" htmlFor={`quantity-${line.variantId}`}>
          {text.quantityOf(title)}
        </label>
        <input
          className="input"
          id={`quantity-${line.variantId}`}
          name="quantity"
          type="number"
          min={1}
          max={999}
          defaultValue={quantity}
          key={quantity}
        />
        <Button look="quiet" name="intent" value="set">
          {text.update}
        </Button>
        <Button look="plain" name="intent" value="remove" aria-label={text.removeOne(title)}>
          {text.remove}
        </Button>
      </Form>
      <p className="cart-line-total">
        <Money value={line.total} />
      </p>
    </article>
  )
}

function PriceChange({ line: { unitPrice, unitPriceWhenAdded } }: { line: CartLine }) {
  const text = useShopText()
  const language = useLanguage()
  if (unitPrice.amountMinor === unitPriceWhenAdded.amountMinor) return null
  const [was, now] = [formatMoney(unitPriceWhenAdded, language), formatMoney(unitPrice, language)]
  const rose = unitPrice.amountMinor > unitPriceWhenAdded.amountMinor
  return (
    <p className="cart-change" data-fell={!rose || undefined}>
      {rose ? text.priceRose(was, now) : text.priceFell(was, now)}
    </p>
  )
}
