import {
  type ActionFunctionArgs,
  Form,
  type LoaderFunctionArgs,
  useActionData,
  useLoaderData,
  useNavigation,
} from 'react-router'
import { Button } from '../../design/Button.tsx'
import { Field, Select, TextArea } from '../../design/Field.tsx'
import { Notice } from '../../design/Notice.tsx'
import { textOf } from '../../server/form.server.ts'
import { useOfficeText } from '../../text/office-text.ts'
import { Confirm, Hidden, Refused } from './bits.tsx'
import { idOf, openOffice, toDone } from './office.server.ts'
import { ProductHead } from './ProductHead.tsx'
import { ifMatch, loadProduct, refusedProduct } from './product.server.ts'

export const loader = (args: LoaderFunctionArgs) => loadProduct(args)

export async function action(args: ActionFunctionArgs) {
  const office = await openOffice(args, ['products:write'])
  const { page } = office
  const productId = idOf(args, 'productId')
  const params = { productId }
  const form = await args.request.formData()
  const headers = ifMatch(form)
  try {
    if (textOf(form, 'intent') === 'remove') {
      await page.call('removeProduct', { params, headers })
      return toDone('/office/products', 'productRemoved')
    }
    await page.call('updateProduct', { params, headers, body: patchOf(form) })
  } catch (error) {
    return refusedProduct(office, productId, error)
  }
  return toDone(`/office/products/${productId}`, 'saved')
}

function patchOf(form: FormData) {
  const status: 'active' | 'draft' = textOf(form, 'status') === 'draft' ? 'draft' : 'active'
  return {
    title: textOf(form, 'title'),
    slug: textOf(form, 'slug'),
    category: textOf(form, 'category') || null,
    vendor: textOf(form, 'vendor') || null,
    tags: listOf(textOf(form, 'tags')),
    descriptionHtml: textOf(form, 'descriptionHtml'),
    status,
  }
}

/** Words between commas, each once. */
function listOf(text: string): string[] {
  const words = text.split(',').map((word) => word.trim())
  return [...new Set(words.filter((word) => word !== ''))]
}

type Product = Awaited<ReturnType<typeof loadProduct>>['product']

export default function ProductPage() {
  const { product, mayWrite } = useLoaderData<typeof loader>()
  const answer = useActionData<typeof action>()
  const text = useOfficeText()
  const canEdit = mayWrite && product.status !== 'removed'
  return (
    <div className="stack">
      <ProductHead product={product} />
      {answer?.current ? (
        <Conflict mine={product} theirs={answer.current} />
      ) : (
        <Refused refusal={answer?.refusal} />
      )}
      <Edit
        product={product}
        version={answer?.current?.version ?? product.version}
        fields={answer?.refusal.fields ?? []}
        canEdit={canEdit}
      />
      {canEdit && (
        <Confirm
          label={text.removeProduct}
          question={text.removeProductQuestion(product.title)}
          action={text.remove}
          fields={{ intent: 'remove', version: String(product.version) }}
        />
      )}
    </div>
  )
}

/** What somebody else has saved meanwhile; the form keeps what was typed, to be saved over it. */
function Conflict({ mine, theirs }: { mine: Product; theirs: Product }) {
  const text = useOfficeText()
  const named = [
    [text.title_, mine.title, theirs.title],
    [text.slug, mine.slug, theirs.slug],
    [text.stall, mine.category, theirs.category],
    [text.vendor, mine.vendor, theirs.vendor],
    [text.tags, mine.tags.join(', '), theirs.tags.join(', ')],
    [text.status, mine.status, theirs.status],
    [text.description, mine.descriptionHtml, theirs.descriptionHtml],
  ] as const
  const changed = named.filter(([, before, after]) => before !== after)
  return (
    <Notice tone="bad">
      <p>{text.conflict}</p>
      <ul>
        {changed.map(([label, , after]) => (
          <li key={label}>
            {label}: <q>{after || '–'}</q>
          </li>
        ))}
        {changed.length === 0 && <li>{text.conflictElsewhere}</li>}
      </ul>
    </Notice>
  )
}

function Edit({
  product,
  version,
  fields,
  canEdit,
}: {
  product: Product
  version: number
  fields: readonly string[]
  canEdit: boolean
}) {
  const text = useOfficeText()
  const isSending = useNavigation().state === 'submitting'
  const errorOf = (name: string) => (fields.includes(name) ? text.fieldError : undefined)
  return (
    <Form method="post" className="panel">
      <fieldset disabled={!canEdit} className="office-form">
        <Hidden version={String(version)} />
        <Field
          label={text.title_}
          name="title"
          defaultValue={product.title}
          required
          maxLength={200}
          error={errorOf('title')}
        />
        <Field
          label={text.slug}
          name="slug"
          defaultValue={product.slug}
          required
          maxLength={80}
          pattern="[a-z0-9]+(-[a-z0-9]+)*"
          hint={text.slugHint}
          error={errorOf('slug')}
        />
        <Field
          label={text.stall}
          name="category"
          defaultValue={product.category ?? ''}
          maxLength={100}
        />
        <Field
          label={text.vendor}
          name="vendor"
          defaultValue={product.vendor ?? ''}
          maxLength={100}
        />
        <Field
          label={text.tags}
          name="tags"
          defaultValue={product.tags.join(', ')}
          hint={text.tagsHint}
          error={errorOf('tags')}
        />
        <Select label={text.status} name="status" defaultValue={product.status}>
          <option value="active">{text.productStatus.active}</option>
          <option value="draft">{text.productStatus.draft}</option>
        </Select>
        <div className="office-wide">
          <TextArea
            label={text.description}
            name="descriptionHtml"
            defaultValue={product.descriptionHtml}
            rows={8}
            maxLength={20_000}
            hint={text.descriptionHint}
            error={errorOf('descriptionHtml')}
          />
        </div>
        {canEdit && (
          <div className="office-wide">
            <Button disabled={isSending}>{text.save}</Button>
          </div>
        )}
      </fieldset>
    </Form>
  )
}
