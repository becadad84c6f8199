import {
  type ActionFunctionArgs,
  data,
  Form,
  type LoaderFunctionArgs,
  useActionData,
  useLoaderData,
} from 'react-router'
import { Button } from '../../design/Button.tsx'
import { Field } from '../../design/Field.tsx'
import { Table } from '../../design/Table.tsx'
import type { Refusal } from '../../server/form.server.ts'
import { useOfficeText } from '../../text/office-text.ts'
import { toAmountText } from './amount.ts'
import { Hidden, Refused } from './bits.tsx'
import { idOf, openOffice, toDone } from './office.server.ts'
import { ProductHead } from './ProductHead.tsx'
import { ifMatch, loadProduct, refusedProduct } from './product.server.ts'
import { optionPlaces, readVariants } from './variant-form.ts'

export const loader = (args: LoaderFunctionArgs) => loadProduct(args)

export async function action(args: ActionFunctionArgs) {
  const office = await openOffice(args, ['products:write'])
  const productId = idOf(args, 'productId')
  const form = await args.request.formData()
  const body = readVariants(form)
  if ('fault' in body) {
    const refusal: Refusal = { code: body.fault, fields: [] }
    return data({ refusal, current: undefined }, { status: 422 })
  }
  try {
    const params = { productId }
    await office.page.call('replaceVariants', { params, headers: ifMatch(form), body })
  } catch (error) {
    return refusedProduct(office, productId, error)
  }
  return toDone(`/office/products/${productId}/variants`, 'saved')
}

// Rows for new variants; after saving there are as many again.
const blanks = [1, 2]

type Product = Awaited<ReturnType<typeof loadProduct>>['product']

export default function ProductVariants() {
  const { product, mayWrite } = useLoaderData<typeof loader>()
  const answer = useActionData<typeof action>()
  const current = answer?.current
  const text = useOfficeText()
  const canEdit = mayWrite && product.status !== 'removed'
  // One more than there are: what is not needed is not in the way.
  const places = optionPlaces.slice(0, product.options.length + 1)
  const currency = product.variants[0]?.price.currency ?? 'EUR'
  return (
    <div className="stack">
      <ProductHead product={product} />
      <Refused refusal={answer?.refusal} />
      <Form method="post" className="stack" key={product.version}>
        <Hidden version={String(current?.version ?? product.version)} currency={currency} />
        <fieldset disabled={!canEdit} className="stack">
          <fieldset className="row">
            <legend className="field-label">{text.options}</legend>
            {places.map((place) => (
              <Field
                key={place}
                label={text.optionNumber(place + 1)}
                name="options"
                defaultValue={product.options[place] ?? ''}
                maxLength={100}
              />
            ))}
          </fieldset>
          <Table
            caption={text.variants}
            columns={[
              { label: text.sku },
              ...places.map((place) => ({
                label: product.options[place] ?? text.optionNumber(place + 1),
              })),
              { label: text.priceIn(currency) },
              { label: text.formerPrice },
              { label: text.onHand },
              { label: text.remove },
            ]}
          >
            {product.variants.map((variant, index) => (
              <Row key={variant.id} {...{ variant, index, places }} />
            ))}
            {canEdit &&
              blanks.map((blank) => (
                <Row key={blank} index={product.variants.length + blank - 1} places={places} />
              ))}
          </Table>
          <p className="muted small">{text.variantsNote}</p>
          {canEdit && (
            <div>
              <Button>{text.save}</Button>
            </div>
          )}
        </fieldset>
      </Form>
    </div>
  )
}

function Row({
  variant,
  index,
  places,
}: {
  variant?: Product['variants'][number]
  index: number
  places: readonly number[]
}) {
  const text = useOfficeText()
  const of = (label: string) => text.ofVariant(label, index + 1)
  const compareAt = variant?.compareAtPrice
  return (
    <tr>
      <td>
        <input type="hidden" name="id" value={variant?.id ?? ''} />
        <input
          className="input office-word"
          name="sku"
          defaultValue={variant?.sku}
          maxLength={64}
          placeholder={variant ? undefined : text.newVariant}
          aria-label={of(text.sku)}
        />
      </td>
      {places.map((place) => (
        <td key={place}>
          <input
            className="input office-word"
            name={`option-${place}`}
            defaultValue={variant?.optionValues[place]}
            maxLength={100}
            aria-label={of(text.optionNumber(place + 1))}
          />
        </td>
      ))}
      <td>
        <input
          className="input office-number"
          name="price"
          defaultValue={variant && toAmountText(variant.price)}
          inputMode="decimal"
          aria-label={of(text.price)}
        />
      </td>
      <td>
        <input
          className="input office-number"
          name="compareAt"
          defaultValue={compareAt ? toAmountText(compareAt) : ''}
          inputMode="decimal"
          aria-label={of(text.formerPrice)}
        />
      </td>
      <td className="numeric">
        {variant ? (
          <>
            <input type="hidden" name="quantity" value="" />
            {variant.quantity}
          </>
        ) : (
          <input
            className="input office-number"
            name="quantity"
            type="number"
            min={0}
            max={1_000_000}
            aria-label={of(text.onHand)}
          />
        )}
      </td>
      <td>
        {variant && (
          <input type="checkbox" name="remove" value={variant.id} aria-label={of(text.remove)} />
        )}
      </td>
    </tr>
  )
}
