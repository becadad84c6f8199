import { Form, Link, type LoaderFunctionArgs, useLoaderData } from 'react-router'
import { Badge } from '../../design/Badge.tsx'
import { Button } from '../../design/Button.tsx'
import { EmptyState } from '../../design/EmptyState.tsx'
import { Field } from '../../design/Field.tsx'
import { Money } from '../../design/Money.tsx'
import { Notice } from '../../design/Notice.tsx'
import { Pagination } from '../../design/Pagination.tsx'
import { Table } from '../../design/Table.tsx'
import { readListing } from '../../server/listing.server.ts'
import { pageOf } from '../../server/page.server.ts'
import { requireStaff } from '../../server/staff.server.ts'
import { useOfficeText } from '../../text/office-text.ts'

export async function loader(args: LoaderFunctionArgs) {
  const page = pageOf(args)
  await requireStaff(page, ['products:write'])
  return readListing(page)
}

const tones = { in_stock: 'good', low_stock: 'warn', out_of_stock: 'bad' } as const

export default function Products() {
  const { items, nextCursor, q, isStale } = useLoaderData<typeof loader>()
  const text = useOfficeText()
  return (
    <div className="stack">
      <h1>{text.products}</h1>
      {isStale && <Notice tone="warn">{text.stale}</Notice>}
      <Form className="row office-search" role="search">
        <Field label={text.searchProducts} name="q" type="search" defaultValue={q} key={q} />
        <Button look="quiet">{text.search}</Button>
      </Form>
      {items.length === 0 ? (
        <EmptyState title={text.noProducts} text={text.noProductsText} />
      ) : (
        <Table
          caption={text.products}
          columns={[
            { label: text.product },
            { label: text.stall },
            { label: text.variants, isNumeric: true },
            { label: text.price, isNumeric: true },
            { label: text.stock },
          ]}
        >
          {items.map((product) => (
            <tr key={product.id}>
              <th scope="row">
                <Link to={`/products/${product.slug}`} reloadDocument>
                  {product.title}
                </Link>
              </th>
              <td>{product.category}</td>
              <td className="end numeric">{product.variants.length}</td>
              <td className="end">
                <Money value={product.priceFrom} />
              </td>
              <td>
                <Badge tone={tones[product.availability]}>
                  {text.availability[product.availability]}
                </Badge>
              </td>
            </tr>
          ))}
        </Table>
      )}
      <Pagination
        nextCursor={nextCursor}
        labels={{ pages: text.pages, first: text.first, next: text.next }}
      />
    </div>
  )
}
