import { Form, Link, type LoaderFunctionArgs, useLoaderData } from 'react-router'
import { Badge } from '../../design/Badge.tsx'
import { Button, ButtonLink } from '../../design/Button.tsx'
import { EmptyState } from '../../design/EmptyState.tsx'
import { Field, Select } from '../../design/Field.tsx'
import { Money } from '../../design/Money.tsx'
import { Pagination } from '../../design/Pagination.tsx'
import { Table } from '../../design/Table.tsx'
import { useOfficeText } from '../../text/office-text.ts'
import { Filters, Moment, PageHead } from './bits.tsx'
import { lowStock } from './low-stock.ts'
import { oneOf, openOffice, queryOf, readPage } from './office.server.ts'

const statuses = ['active', 'draft', 'removed'] as const
const stocks = { low: lowStock, none: 0 }
const sorts = ['newest', 'updated', 'title'] as const
// A screen or two; more is a search.
const limit = 50

export async function loader(args: LoaderFunctionArgs) {
  const { page, may } = await openOffice(args, ['products:read'])
  const asked = queryOf(page, ['q', 'status', 'stock', 'category', 'sort'])
  const status = oneOf(statuses, asked.status)
  const sort = oneOf(sorts, asked.sort)
  const stock = asked.stock === 'low' || asked.stock === 'none' ? asked.stock : undefined
  const { data } = await readPage(page, (cursor) =>
    page.call('listCatalogue', {
      query: {
        limit,
        ...(cursor !== undefined && { cursor }),
        ...(asked.q !== undefined && { q: asked.q }),
        ...(asked.category !== undefined && { category: asked.category }),
        ...(status && { status }),
        ...(sort && { sort }),
        ...(stock && { maxAvailable: stocks[stock] }),
      },
    }),
  )
  return { ...data, asked, mayWrite: may('products:write') }
}

type Entry = Awaited<ReturnType<typeof loader>>['items'][number]

export default function Products() {
  const { items, nextCursor, mayWrite } = useLoaderData<typeof loader>()
  const text = useOfficeText()
  return (
    <div className="stack">
      <PageHead title={text.products}>
        {mayWrite && <ButtonLink to="/office/products/new">{text.newProduct}</ButtonLink>}
      </PageHead>
      <ProductFilters />
      {items.length === 0 ? (
        <EmptyState title={text.noProducts} text={text.noProductsText} />
      ) : (
        <Form method="post" action="/office/prices" className="stack">
          <input type="hidden" name="intent" value="select" />
          <Table
            caption={text.products}
            columns={[
              ...(mayWrite ? [{ label: text.choose }] : []),
              { label: text.product },
              { label: text.status },
              { label: text.stall },
              { label: text.price, isNumeric: true },
              { label: text.available, isNumeric: true },
              { label: text.changed },
            ]}
          >
            {items.map((entry) => (
              <Row key={entry.id} entry={entry} mayWrite={mayWrite} />
            ))}
          </Table>
          {mayWrite && (
            <div>
              <Button look="quiet">{text.priceChosen}</Button>
            </div>
          )}
        </Form>
      )}
      <Pagination
        nextCursor={nextCursor}
        labels={{ pages: text.pages, first: text.first, next: text.next }}
      />
    </div>
  )
}

function ProductFilters() {
  const { asked } = useLoaderData<typeof loader>()
  const text = useOfficeText()
  return (
    <Filters label={text.searchProducts}>
      <Field
        label={text.searchProducts}
        name="q"
        type="search"
        defaultValue={asked.q}
        key={`q${asked.q}`}
        aria-keyshortcuts="/"
      />
      <Select label={text.status} name="status" defaultValue={asked.status} key={asked.status}>
        <option value="">{text.every}</option>
        {statuses.map((status) => (
          <option key={status} value={status}>
            {text.productStatus[status]}
          </option>
        ))}
      </Select>
      <Select label={text.stock} name="stock" defaultValue={asked.stock} key={`s${asked.stock}`}>
        <option value="">{text.every}</option>
        <option value="low">{text.stockLow(lowStock)}</option>
        <option value="none">{text.stockNone}</option>
      </Select>
      <Select label={text.sort} name="sort" defaultValue={asked.sort} key={`o${asked.sort}`}>
        {sorts.map((sort) => (
          <option key={sort} value={sort}>
            {text.sorts[sort]}
          </option>
        ))}
      </Select>
    </Filters>
  )
}

const tones = { active: 'good', draft: 'warn', removed: 'bad' } as const

function Row({ entry, mayWrite }: { entry: Entry; mayWrite: boolean }) {
  const text = useOfficeText()
  const { id, title, status, category, variants, updatedAt } = entry
  const prices = variants.map(({ price }) => price).sort((a, b) => a.amountMinor - b.amountMinor)
  const [least, most] = [prices[0], prices.at(-1)]
  const available = variants.reduce((sum, variant) => sum + variant.available, 0)
  const isLow = variants.some((variant) => variant.available <= lowStock)
  return (
    <tr>
      {mayWrite && (
        <td>
          <input
            type="checkbox"
            name="variantIds"
            value={variants.map((variant) => variant.id).join(',')}
            aria-label={text.chooseNamed(title)}
            disabled={status === 'removed'}
          />
        </td>
      )}
      <th scope="row">
        <Link to={`/office/products/${id}`} prefetch="intent">
          {title}
        </Link>
      </th>
      <td>
        <Badge tone={tones[status]}>{text.productStatus[status]}</Badge>
      </td>
      <td>{category}</td>
      <td className="end">
        {least && <Money value={least} />}
        {most && most.amountMinor !== least?.amountMinor && (
          <>
            {' – '}
            <Money value={most} />
          </>
        )}
      </td>
      <td className="end numeric">
        {isLow ? <Badge tone={available <= 0 ? 'bad' : 'warn'}>{available}</Badge> : available}
      </td>
      <td>
        <Moment at={updatedAt} />
      </td>
    </tr>
  )
}
