import {
  type ActionFunctionArgs,
  Form,
  type LoaderFunctionArgs,
  useActionData,
  useLoaderData,
  useNavigation,
} from 'react-router'
import { Button } from '../../design/Button.tsx'
import { EmptyState } from '../../design/EmptyState.tsx'
import { Field } from '../../design/Field.tsx'
import { Picture } from '../../design/Picture.tsx'
import { textOf } from '../../server/form.server.ts'
import { useOfficeText } from '../../text/office-text.ts'
import { Confirm, Hidden, Refused } from './bits.tsx'
import { idOf, type Office, openOffice, stay, toDone } from './office.server.ts'
import { ProductHead } from './ProductHead.tsx'
import { ifMatch, loadProduct, readProduct, refusedProduct } from './product.server.ts'

const types = ['image/jpeg', 'image/png', 'image/webp']
// What the API takes.
const maxBytes = 8 * 1024 * 1024

export const loader = (args: LoaderFunctionArgs) => loadProduct(args)

export async function action(args: ActionFunctionArgs) {
  const office = await openOffice(args, ['products:write'])
  const productId = idOf(args, 'productId')
  const form = await args.request.formData()
  try {
    if (textOf(form, 'intent') === 'upload') {
      const fault = await upload(office, productId, form)
      if (fault) return stay({ code: fault, fields: [] })
    } else await rearrange(office, productId, form)
  } catch (error) {
    return refusedProduct(office, productId, error)
  }
  return toDone(`/office/products/${productId}/images`, 'saved')
}

/** Adds the file of the form; returns what is wrong with it. */
async function upload({ page }: Office, productId: string, form: FormData) {
  const file = form.get('file')
  const alt = textOf(form, 'alt')
  if (!(file instanceof File) || !types.includes(file.type)) return 'IMAGE_NOT_USABLE'
  if (file.size > maxBytes) return 'IMAGE_TOO_LARGE'
  await page.call('addImage', {
    params: { productId },
    query: { alt },
    headers: { ...ifMatch(form), 'content-type': file.type },
    body: Buffer.from(await file.arrayBuffer()),
  })
  return undefined
}

/** Makes an image the first, describes it anew, or takes it out. */
async function rearrange(office: Office, productId: string, form: FormData): Promise<void> {
  const url = textOf(form, 'url')
  const { images } = await readProduct(office, productId)
  const found = images.find((image) => image.url === url)
  if (!found) return
  const others = images.filter((image) => image !== found)
  const changed = {
    remove: others,
    first: [found, ...others],
    describe: images.map((image) =>
      image === found ? { ...image, alt: textOf(form, 'alt') || null } : image,
    ),
  }[textOf(form, 'intent')]
  if (!changed) return
  const params = { productId }
  await office.page.call('updateProduct', {
    ...{ params, headers: ifMatch(form) },
    body: { images: changed },
  })
}

export default function ProductImages() {
  const { product, mayWrite } = useLoaderData<typeof loader>()
  const refusal = useActionData<typeof action>()?.refusal
  const text = useOfficeText()
  const canEdit = mayWrite && product.status !== 'removed'
  const version = String(product.version)
  return (
    <div className="stack">
      <ProductHead product={product} />
      <Refused refusal={refusal} />
      {product.images.length === 0 && <EmptyState title={text.noImages} text={text.noImagesText} />}
      <ul className="office-images">
        {product.images.map((image, index) => (
          <li key={image.url} className="panel stack">
            <Picture
              of={{ name: product.slug, category: product.category, image }}
              size={220}
              alt={image.alt ?? ''}
            />
            {canEdit && (
              <>
                <Form method="post" className="stack">
                  <Hidden version={version} url={image.url} />
                  <Field
                    label={text.alt}
                    name="alt"
                    defaultValue={image.alt ?? ''}
                    maxLength={300}
                  />
                  <div className="row">
                    <Button look="quiet" name="intent" value="describe">
                      {text.save}
                    </Button>
                    {index > 0 && (
                      <Button look="quiet" name="intent" value="first">
                        {text.makeFirst}
                      </Button>
                    )}
                  </div>
                </Form>
                <Confirm
                  label={text.remove}
                  question={text.removeImageQuestion}
                  action={text.remove}
                  fields={{ intent: 'remove', url: image.url, version }}
                />
              </>
            )}
          </li>
        ))}
      </ul>
      {canEdit && <Upload key={version} version={version} />}
    </div>
  )
}

function Upload({ version }: { version: string }) {
  const text = useOfficeText()
  const isSending = useNavigation().formData?.get('intent') === 'upload'
  return (
    <Form method="post" encType="multipart/form-data" className="panel stack">
      <h2>{text.uploadImage}</h2>
      <Hidden version={version} intent="upload" />
      <Field label={text.file} name="file" type="file" accept={types.join(',')} required />
      <Field label={text.alt} name="alt" required maxLength={300} hint={text.altHint} />
      <div>
        <Button disabled={isSending}>{isSending ? text.uploading : text.upload}</Button>
      </div>
    </Form>
  )
}
