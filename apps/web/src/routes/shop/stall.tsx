import { type LoaderFunctionArgs, type MetaFunction, useLoaderData } from 'react-router'
import { Breadcrumbs } from '../../design/Breadcrumbs.tsx'
import { readListing } from '../../server/listing.server.ts'
import { notFound, pageOf } from '../../server/page.server.ts'
import { listStalls } from '../../server/stalls.server.ts'
import { shopText, useShopText } from '../../text/shop-text.ts'
import { Listing } from './Listing.tsx'
import { metaOf } from './meta.ts'
import { usePath } from './use-path.ts'

export async function loader(args: LoaderFunctionArgs) {
  const page = pageOf(args)
  const stall = (await listStalls(page)).find(({ slug }) => slug === args.params.stall)
  if (!stall) throw notFound()
  const listing = await readListing(page, { category: stall.name })
  const { language, url, visit } = page
  return { language, url: `${visit.publicUrl}${url.pathname}`, stall, listing }
}

export const meta: MetaFunction<typeof loader> = ({ loaderData }) => {
  if (!loaderData) return []
  const text = shopText(loaderData.language)
  const { stall, listing } = loaderData
  const goods = listing.items.slice(0, 5).map(({ title }) => title)
  return metaOf({
    ...loaderData,
    title: `${stall.name} · ${text.name}`,
    description: text.stallGoods(stall.name, goods.join(', ')),
  })
}

export default function StallPage() {
  const { stall, listing } = useLoaderData<typeof loader>()
  const text = useShopText()
  const path = usePath()
  return (
    <div className="inside">
      <Breadcrumbs
        label={text.you}
        trail={[{ to: path('/'), label: text.home }, { label: stall.name }]}
      />
      <h1 className="page-title">{stall.name}</h1>
      <Listing listing={listing} />
    </div>
  )
}
