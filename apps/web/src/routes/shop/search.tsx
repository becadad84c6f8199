import { type LoaderFunctionArgs, type MetaFunction, useLoaderData } from 'react-router'
import { Breadcrumbs } from '../../design/Breadcrumbs.tsx'
import { readListing } from '../../server/listing.server.ts'
import { pageOf } from '../../server/page.server.ts'
import { listStalls } from '../../server/stalls.server.ts'
import { shopText, useShopText } from '../../text/shop-text.ts'
import { Listing } from './Listing.tsx'
import { metaOf } from './meta.ts'
import { usePath } from './use-path.ts'

export async function loader(args: LoaderFunctionArgs) {
  const page = pageOf(args)
  const [listing, stalls] = await Promise.all([readListing(page), listStalls(page)])
  const { language, url, visit } = page
  return { language, url: `${visit.publicUrl}${url.pathname}`, listing, stalls }
}

export const meta: MetaFunction<typeof loader> = ({ loaderData }) => {
  if (!loaderData) return []
  const text = shopText(loaderData.language)
  const { q } = loaderData.listing
  const title = `${q === '' ? text.allGoods : text.results(q)} · ${text.name}`
  return metaOf({ ...loaderData, title, description: text.hero.text, isPersonal: q !== '' })
}

export default function Search() {
  const { listing, stalls } = useLoaderData<typeof loader>()
  const text = useShopText()
  const path = usePath()
  const title = listing.q === '' ? text.allGoods : text.results(listing.q)
  return (
    <div className="inside">
      <Breadcrumbs
        label={text.you}
        trail={[{ to: path('/'), label: text.home }, { label: title }]}
      />
      <h1 className="page-title">{title}</h1>
      <Listing listing={listing} stalls={stalls} />
    </div>
  )
}
