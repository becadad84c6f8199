import {
  type ActionFunctionArgs,
  data,
  Form,
  Link,
  type LoaderFunctionArgs,
  useActionData,
  useLoaderData,
} from 'react-router'
import { Badge } from '../../design/Badge.tsx'
import { Money } from '../../design/Money.tsx'
import { Table } from '../../design/Table.tsx'
import { numberOf, refusalOf, textOf } from '../../server/form.server.ts'
import { type Page, problemOf } from '../../server/page.server.ts'
import { useOfficeText } from '../../text/office-text.ts'
import { parseAmount, toAmountText } from './amount.ts'
import { Moment, Refused } from './bits.tsx'
import { lowStock } from './low-stock.ts'
import { idOf, isId, openOffice, toDone } from './office.server.ts'
import { ProductHead } from './ProductHead.tsx'
import { findPeople } from './people.server.ts'
import { ifMatch, loadProduct } from './product.server.ts'

export async function loader(args: LoaderFunctionArgs) {
  const loaded = await loadProduct(args)
  const office = await openOffice(args, ['products:read'])
  const { page } = office
  const asked = page.url.searchParams.get('history') ?? ''
  const variant = loaded.product.variants.find(({ id }) => id === asked)
  if (!variant) return { ...loaded, history: undefined }
  const { data: found } = await page.call('getPriceHistory', {
    params: { variantId: variant.id },
    query: { limit: 50 },
  })
  const subjects = found.items.map(({ by }) => by).filter(isId)
  const people = await findPeople(office, subjects)
  const items = found.items.map((item) => ({ ...item, by: people.get(item.by)?.name ?? item.by }))
  return { ...loaded, history: { variant, items } }
}

/** The price and the pieces of one variant, whichever of them was changed. */
export async function action(args: ActionFunctionArgs) {
  const { page } = await openOffice(args, ['products:write'])
  const productId = idOf(args, 'productId')
  const form = await args.request.formData()
  const variantId = textOf(form, 'variantId')
  const refuse = (code: string) =>
    data({ refusal: { code, fields: [] as readonly string[] }, variantId }, { status: 422 })
  if (!isId(variantId)) return refuse('VARIANT_NOT_FOUND')
  const price = parseAmount(textOf(form, 'price'), textOf(form, 'currency'))
  if (!price) return refuse('NO_AMOUNT')
  try {
    if (String(price.amountMinor) !== textOf(form, 'priceSeen')) {
      await page.call('setPrice', { params: { variantId }, headers: ifMatch(form), body: price })
    }
    if (textOf(form, 'quantity') !== textOf(form, 'quantitySeen')) {
      await setStock(page, variantId, form)
    }
  } catch (error) {
    if (!problemOf(error)) throw error
    return data({ refusal: refusalOf(error), variantId }, { status: 422 })
  }
  return toDone(`/office/products/${productId}/stock`, 'saved')
}

/** Refused when pieces were sold or came since the form was made: its number is no longer true. */
async function setStock(page: Page, variantId: string, form: FormData): Promise<void> {
  const bounds = { min: 0, max: 1_000_000, fallback: 0 }
  const seen = numberOf(form, 'quantitySeen', bounds)
  const quantity = numberOf(form, 'quantity', { ...bounds, fallback: seen })
  const headers = { 'if-match': `"${seen}"` }
  await page.call('setStock', { params: { variantId }, headers, body: { quantity } })
}

type Loaded = Awaited<ReturnType<typeof loader>>

export default function ProductStock() {
  const { product, mayWrite, history } = useLoaderData<typeof loader>()
  const answer = useActionData<typeof action>()
  const text = useOfficeText()
  const canEdit = mayWrite && product.status !== 'removed'
  return (
    <div className="stack">
      <ProductHead product={product} />
      <Refused refusal={answer?.refusal} />
      <div hidden>
        {product.variants.map(({ id }) => (
          <Form key={id} id={`v-${id}`} method="post" />
        ))}
      </div>
      <Table
        caption={text.pricesAndStock}
        columns={[
          { label: text.variant },
          { label: text.sku },
          { label: text.price, isNumeric: true },
          { label: text.onHand, isNumeric: true },
          { label: text.reserved, isNumeric: true },
          { label: text.available, isNumeric: true },
          { label: text.actions },
        ]}
      >
        {product.variants.map((variant) => (
          <Row key={variant.id} {...{ variant, canEdit }} version={product.version} />
        ))}
      </Table>
      <p className="muted small">{text.stockNote}</p>
      {history && <History {...history} />}
    </div>
  )
}

function Row({
  variant,
  version,
  canEdit,
}: {
  variant: Loaded['product']['variants'][number]
  version: number
  canEdit: boolean
}) {
  const text = useOfficeText()
  const { id, title, sku, price, quantity, reserved, available } = variant
  const form = `v-${id}`
  return (
    <tr>
      <th scope="row">{title}</th>
      <td className="numeric">{sku}</td>
      <td className="end">
        {canEdit ? (
          <span className="office-amount">
            <input
              className="input"
              form={form}
              name="price"
              defaultValue={toAmountText(price)}
              key={price.amountMinor}
              inputMode="decimal"
              required
              aria-label={text.priceOf(title)}
            />
            {price.currency}
          </span>
        ) : (
          <Money value={price} />
        )}
      </td>
      <td className="end numeric">
        {canEdit ? (
          <input
            className="input office-number"
            form={form}
            name="quantity"
            type="number"
            min={0}
            max={1_000_000}
            defaultValue={quantity}
            key={quantity}
            required
            aria-label={text.onHandOf(title)}
          />
        ) : (
          quantity
        )}
      </td>
      <td className="end numeric">{reserved}</td>
      <td className="end numeric">
        {available <= lowStock ? (
          <Badge tone={available <= 0 ? 'bad' : 'warn'}>{available}</Badge>
        ) : (
          available
        )}
      </td>
      <td>
        <div className="row office-actions">
          {canEdit && (
            <button className="button" data-look="quiet" type="submit" form={form}>
              {text.save} <span className="visually-hidden">{title}</span>
            </button>
          )}
          <Link to={`?history=${id}#history`} preventScrollReset>
            {text.history} <span className="visually-hidden">{title}</span>
          </Link>
        </div>
        {canEdit && <RowFields form={form} {...{ id, version, quantity }} price={price} />}
      </td>
    </tr>
  )
}

/** What the form was made from, so that the action knows what was changed. */
function RowFields(seen: {
  form: string
  id: string
  version: number
  quantity: number
  price: { amountMinor: number; currency: string }
}) {
  const fields = {
    variantId: seen.id,
    version: String(seen.version),
    currency: seen.price.currency,
    priceSeen: String(seen.price.amountMinor),
    quantitySeen: String(seen.quantity),
  }
  return Object.entries(fields).map(([name, value]) => (
    <input key={name} type="hidden" form={seen.form} name={name} value={value} />
  ))
}

// Ids of people whose names its reader may not see, and of imports.
const isLong = (by: string) => by.length > 35

function History({ variant, items }: NonNullable<Loaded['history']>) {
  const text = useOfficeText()
  return (
    <section className="stack" id="history">
      <h2>{text.historyOf(variant.title)}</h2>
      {items.length === 0 ? (
        <p className="muted">{text.noHistory}</p>
      ) : (
        <Table
          caption={text.historyOf(variant.title)}
          columns={[
            { label: text.moment },
            { label: text.before, isNumeric: true },
            { label: text.after, isNumeric: true },
            { label: text.by },
          ]}
        >
          {items.map(({ at, by, from, to }) => (
            <tr key={at}>
              <th scope="row">
                <Moment at={at} />
              </th>
              <td className="end">
                <Money value={from} />
              </td>
              <td className="end">
                <Money value={to} />
              </td>
              <td className={isLong(by) ? 'office-id' : undefined}>{by}</td>
            </tr>
          ))}
        </Table>
      )}
    </section>
  )
}
