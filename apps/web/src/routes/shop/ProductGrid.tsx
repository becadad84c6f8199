import type { ProductSummary } from '@halles/contracts/gen/http/products'
import { Link } from 'react-router'
import { Badge } from '../../design/Badge.tsx'
import { Money } from '../../design/Money.tsx'
import { Picture } from '../../design/Picture.tsx'
import { formatMoney } from '../../text/format.ts'
import { useShopText } from '../../text/shop-text.ts'
import { useLanguage } from '../../text/use-language.ts'
import { usePath } from './use-path.ts'

// A row of a wide screen, two of a phone.
const firstSeen = 4

type Shown = Pick<
  ProductSummary,
  'id' | 'slug' | 'title' | 'category' | 'image' | 'priceFrom' | 'availability' | 'variants'
>

/** Products side by side, each a link to its page. */
export function ProductGrid({
  products,
  level = 'h3',
}: {
  products: readonly Shown[]
  /** `h2` right below the page's title. */
  level?: 'h2' | 'h3'
}) {
  return (
    <ul className="product-grid">
      {products.map((product, index) => (
        <li key={product.id}>
          <ProductCard
            product={product}
            level={level}
            isFirst={level === 'h2' && index < firstSeen}
          />
        </li>
      ))}
    </ul>
  )
}

function ProductCard({
  product,
  level: Heading,
  isFirst,
}: {
  product: Shown
  level: 'h2' | 'h3'
  isFirst: boolean
}) {
  const { slug, title, category, image, availability } = product
  const text = useShopText()
  const path = usePath()
  return (
    <article className="product-card">
      <Picture of={{ name: slug, category, image }} size={300} isFirst={isFirst} />
      <div className="product-card-words">
        {category && <p className="product-card-stall">{category}</p>}
        <Heading className="product-card-title">
          <Link to={path(`/products/${slug}`)}>{title}</Link>
        </Heading>
        <p className="product-card-price">
          <Price product={product} />
        </p>
        {availability !== 'in_stock' && (
          <Badge tone={availability === 'low_stock' ? 'warn' : 'bad'}>
            {text.availability[availability]}
          </Badge>
        )}
      </div>
    </article>
  )
}

function Price({ product: { priceFrom, variants } }: { product: Shown }) {
  const text = useShopText()
  const language = useLanguage()
  const [first] = variants
  const isOne = variants.every(({ price }) => price.amountMinor === priceFrom.amountMinor)
  if (isOne)
    return <Money value={priceFrom} was={first?.compareAtPrice ?? null} wasLabel={text.former} />
  return <span className="money">{text.from(formatMoney(priceFrom, language))}</span>
}
