import { Link, type LoaderFunctionArgs, type MetaFunction, useLoaderData } from 'react-router'
import { Breadcrumbs } from '../../design/Breadcrumbs.tsx'
import { Notice } from '../../design/Notice.tsx'
import { Picture } from '../../design/Picture.tsx'
import { attempt, pageOf } from '../../server/page.server.ts'
import { listStalls } from '../../server/stalls.server.ts'
import { shopText, useShopText } from '../../text/shop-text.ts'
import { AddToCart } from './AddToCart.tsx'
import { metaOf } from './meta.ts'
import { ProductGrid } from './ProductGrid.tsx'
import { describeProduct, pictureOf } from './product-data.ts'
import { usePath } from './use-path.ts'

export async function loader(args: LoaderFunctionArgs) {
  const page = pageOf(args)
  const idOrSlug = args.params.slug ?? ''
  const { data: product, isStale } = await page.call('getProduct', { params: { idOrSlug } })
  const { category } = product
  const [stalls, others] = await Promise.all([
    listStalls(page),
    category === null
      ? undefined
      : attempt(page.call('listProducts', { query: { limit: 5, category } })),
  ])
  const { language, url, visit } = page
  return {
    language,
    url: `${visit.publicUrl}${url.pathname}`,
    product,
    isStale,
    stall: stalls.find(({ name }) => name === category) ?? null,
    others: (others?.data?.data.items ?? []).filter(({ id }) => id !== product.id).slice(0, 4),
  }
}

export const meta: MetaFunction<typeof loader> = ({ loaderData }) => {
  if (!loaderData) return []
  const { product, language } = loaderData
  const description = product.descriptionHtml.replaceAll(/<[^>]*>/g, ' ').trim()
  const title = `${product.title} · ${shopText(language).name}`
  return [
    ...metaOf({ ...loaderData, title, description, image: pictureOf(product) }),
    { 'script:ld+json': describeProduct(loaderData) },
  ]
}

export default function ProductPage() {
  const { product, isStale, stall, others } = useLoaderData<typeof loader>()
  const text = useShopText()
  const path = usePath()
  const { slug, title, category, vendor } = product
  const trail = [
    { to: path('/'), label: text.home },
    ...(stall ? [{ to: path(`/stalls/${stall.slug}`), label: stall.name }] : []),
    { label: title },
  ]
  return (
    <div className="inside">
      <Breadcrumbs label={text.you} trail={trail} />
      <article className="product">
        <div className="product-pictures">
          <Picture
            of={{ name: slug, category, image: product.images[0] ?? null }}
            alt={product.images[0]?.alt ?? title}
            size={620}
            isFirst
          />
          {product.images.length > 1 && (
            <ul className="more-pictures">
              {product.images.slice(1, 9).map((image) => (
                <li key={image.url}>
                  <a href={image.url}>
                    <Picture
                      of={{ name: slug, category, image }}
                      alt={image.alt ?? title}
                      size={140}
                    />
                  </a>
                </li>
              ))}
            </ul>
          )}
        </div>
        <div className="stack product-words">
          {vendor && <p className="product-vendor">{text.by(vendor)}</p>}
          <h1>{title}</h1>
          {isStale && <Notice tone="warn">{text.stale}</Notice>}
          <AddToCart key={product.id} product={product} />
          {product.descriptionHtml.trim() !== '' && (
            <section aria-labelledby="about" className="stack">
              <h2 id="about" className="product-about">
                {text.description}
              </h2>
              <div
                className="prose"
                dangerouslySetInnerHTML={{ __html: product.descriptionHtml }}
              />
            </section>
          )}
        </div>
      </article>
      {others.length > 0 && stall && (
        <section className="shop-more" aria-labelledby="more">
          <div className="section-head">
            <h2 id="more">{text.more}</h2>
            <Link to={path(`/stalls/${stall.slug}`)}>{stall.name}</Link>
          </div>
          <ProductGrid products={others} />
        </section>
      )}
    </div>
  )
}
