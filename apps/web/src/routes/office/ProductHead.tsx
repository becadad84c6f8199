import { Badge } from '../../design/Badge.tsx'
import { Breadcrumbs } from '../../design/Breadcrumbs.tsx'
import { Tabs } from '../../design/Tabs.tsx'
import { useOfficeText } from '../../text/office-text.ts'

type Headed = { id: string; title: string; slug: string; status: 'active' | 'draft' | 'removed' }

const tones = { active: 'good', draft: 'warn', removed: 'bad' } as const

/** What the pages of a product share: its name, its state and the way between them. */
export function ProductHead({ product }: { product: Headed }) {
  const text = useOfficeText()
  const { id, title, slug, status } = product
  const at = `/office/products/${id}`
  return (
    <>
      <Breadcrumbs
        label={text.trail}
        trail={[{ to: '/office/products', label: text.products }, { label: title }]}
      />
      <div className="office-head">
        <h1>{title}</h1>
        <div className="row">
          <Badge tone={tones[status]}>{text.productStatus[status]}</Badge>
          {status === 'active' && <a href={`/products/${slug}`}>{text.inShop}</a>}
        </div>
      </div>
      <Tabs
        label={title}
        tabs={[
          { to: at, label: text.details },
          { to: `${at}/stock`, label: text.pricesAndStock },
          { to: `${at}/variants`, label: text.variants },
          { to: `${at}/images`, label: text.images },
        ]}
      />
    </>
  )
}
