import type { Product } from '@halles/contracts/gen/http/products'
import { useState } from 'react'
import { Link, useFetcher } from 'react-router'
import { Badge } from '../../design/Badge.tsx'
import { Button } from '../../design/Button.tsx'
import { Money } from '../../design/Money.tsx'
import { Notice } from '../../design/Notice.tsx'
import { useHydrated } from '../../design/use-hydrated.ts'
import { useShopText } from '../../text/shop-text.ts'
import type { action } from './cart.tsx'
import { usePath } from './use-path.ts'
import type { action as wish } from './wishlist.tsx'

const tones = { in_stock: 'good', low_stock: 'warn', out_of_stock: 'bad' } as const
const quantities = [1, 2, 3, 4, 5, 6, 8, 10, 12, 24]

/** Choice of variant and quantity. Without scripts the form leads to the basket; with them it stays. */
export function AddToCart({ product }: { product: Product }) {
  const { variants, options } = product
  const firstForSale = variants.find(({ availability }) => availability !== 'out_of_stock')
  const [chosenId, choose] = useState((firstForSale ?? variants[0])?.id)
  const fetcher = useFetcher<typeof action | typeof wish>()
  const isHydrated = useHydrated()
  const text = useShopText()
  const path = usePath()
  const chosen = variants.find(({ id }) => id === chosenId)
  const isBusy = fetcher.state !== 'idle'
  const answer = fetcher.data
  const refusal = answer && 'refusal' in answer ? answer.refusal : undefined
  const isKept = answer !== undefined && 'kept' in answer
  return (
    <fetcher.Form className="stack" method="post" action={path('/cart')}>
      <input type="hidden" name="intent" value="add" />
      {isHydrated && <input type="hidden" name="stay" value="1" />}
      <input type="hidden" name="from" value={path(`/products/${product.slug}`)} />
      {variants.length === 1 && chosen ? (
        <>
          <input type="hidden" name="variantId" value={chosen.id} />
          <p className="product-price">
            <Money value={chosen.price} was={chosen.compareAtPrice} wasLabel={text.former} />
          </p>
          <p>
            <Badge tone={tones[chosen.availability]}>
              {text.availability[chosen.availability]}
            </Badge>
          </p>
        </>
      ) : (
        <fieldset>
          <legend className="field-label">{options.join(' · ') || text.choose}</legend>
          <div className="variants">
            {variants.map((variant) => (
              <label className="variant" key={variant.id}>
                <input
                  type="radio"
                  name="variantId"
                  value={variant.id}
                  defaultChecked={variant.id === chosenId}
                  disabled={variant.availability === 'out_of_stock'}
                  onChange={() => choose(variant.id)}
                />
                <span className="variant-words">
                  <span>{variant.optionValues.join(' · ') || variant.title}</span>
                  <Money
                    value={variant.price}
                    was={variant.compareAtPrice}
                    wasLabel={text.former}
                  />
                </span>
                {variant.availability !== 'in_stock' && (
                  <Badge tone={tones[variant.availability]}>
                    {text.availability[variant.availability]}
                  </Badge>
                )}
              </label>
            ))}
          </div>
        </fieldset>
      )}
      {firstForSale ? (
        <div className="buy">
          <label className="visually-hidden" htmlFor="quantity">
            {text.quantity}
          </label>
          <select className="input buy-quantity" id="quantity" name="quantity">
            {quantities.map((each) => (
              <option key={each}>{each}</option>
            ))}
          </select>
          <Button size="large" aria-disabled={isBusy}>
            {isBusy ? text.adding : text.addToCart}
          </Button>
        </div>
      ) : (
        <Button size="large" disabled>
          {text.soldOut}
        </Button>
      )}
      <p>
        <Button look="plain" formAction={path('/wishlist')} name="wish" value="keep">
          {text.wishes.keep}
        </Button>
      </p>
      <div aria-live="polite">
        {!isBusy && fetcher.data && !refusal && (
          <Notice tone="good">
            {isKept ? text.wishes.kept : text.added}{' '}
            <Link to={path(isKept ? '/wishlist' : '/cart')}>
              {isKept ? text.wishes.look : text.toCart}
            </Link>
          </Notice>
        )}
        {!isBusy && refusal && (
          <Notice tone="bad">{text.errors[refusal.code] ?? text.errors.other}</Notice>
        )}
      </div>
    </fetcher.Form>
  )
}
