import { Form } from 'react-router'
import { Button, ButtonLink } from '../../design/Button.tsx'
import { EmptyState } from '../../design/EmptyState.tsx'
import { Select } from '../../design/Field.tsx'
import { Notice } from '../../design/Notice.tsx'
import { Pagination } from '../../design/Pagination.tsx'
import type { readListing } from '../../server/listing.server.ts'
import { useShopText } from '../../text/shop-text.ts'
import { ProductGrid } from './ProductGrid.tsx'
import { usePath } from './use-path.ts'

type ListingData = Awaited<ReturnType<typeof readListing>>

/** Goods with the means to narrow them down and to put them in order. */
export function Listing({
  listing,
  stalls,
}: {
  listing: ListingData
  /** Shown as a choice; absent where the page is of one stall. */
  stalls?: readonly { name: string }[]
}) {
  const text = useShopText()
  const path = usePath()
  const { q, category, sort, items, nextCursor, isStale } = listing
  return (
    <div className="stack">
      {isStale && <Notice tone="warn">{text.stale}</Notice>}
      <Form className="filters" aria-label={text.filter}>
        {q !== '' && <input type="hidden" name="q" value={q} />}
        {stalls && (
          <Select label={text.stall} name="category" defaultValue={category} key={category}>
            <option value="">{text.everyStall}</option>
            {stalls.map(({ name }) => (
              <option key={name}>{name}</option>
            ))}
          </Select>
        )}
        <Select label={text.sort} name="sort" defaultValue={sort} key={`sort ${sort}`}>
          {(['newest', 'title', 'price', '-price'] as const).map((each) => (
            <option key={each} value={each}>
              {text.sorts[each]}
            </option>
          ))}
        </Select>
        <Button look="quiet">{text.apply}</Button>
      </Form>
      {items.length > 0 ? (
        <ProductGrid products={items} level="h2" />
      ) : (
        <EmptyState
          title={text.noResults}
          text={text.noResultsText}
          action={<ButtonLink to={path('/search')}>{text.seeAll}</ButtonLink>}
        />
      )}
      <Pagination
        nextCursor={nextCursor}
        labels={{ pages: text.pages, first: text.firstPage, next: text.nextPage }}
      />
    </div>
  )
}
