import { type ActionFunctionArgs, Form, type LoaderFunctionArgs, useActionData } from 'react-router'
import { Breadcrumbs } from '../../design/Breadcrumbs.tsx'
import { Button } from '../../design/Button.tsx'
import { Field } from '../../design/Field.tsx'
import { numberOf, textOf } from '../../server/form.server.ts'
import { useOfficeText } from '../../text/office-text.ts'
import { parseAmount } from './amount.ts'
import { PageHead, Refused } from './bits.tsx'
import { openOffice, refused, stay, toDone } from './office.server.ts'

export async function loader(args: LoaderFunctionArgs) {
  await openOffice(args, ['products:write'])
  return null
}

/** A draft with one variant; the rest is for its own pages. */
export async function action(args: ActionFunctionArgs) {
  const { page } = await openOffice(args, ['products:write'])
  const form = await args.request.formData()
  const price = parseAmount(textOf(form, 'price'), textOf(form, 'currency').toUpperCase())
  if (!price) return stay({ code: 'NO_AMOUNT', fields: ['price'] })
  const category = textOf(form, 'category')
  const quantity = numberOf(form, 'quantity', { min: 0, max: 1_000_000, fallback: 0 })
  try {
    const { data } = await page.call('createProduct', {
      body: {
        title: textOf(form, 'title'),
        ...(category !== '' && { category }),
        status: 'draft',
        variants: [{ sku: textOf(form, 'sku'), price, quantity }],
      },
    })
    return toDone(`/office/products/${data.id}`, 'created')
  } catch (error) {
    return refused(error)
  }
}

export default function NewProduct() {
  const refusal = useActionData<typeof action>()?.refusal
  const text = useOfficeText()
  const errorOf = (name: string) => (refusal?.fields.includes(name) ? text.fieldError : undefined)
  return (
    <div className="stack">
      <Breadcrumbs
        label={text.trail}
        trail={[{ to: '/office/products', label: text.products }, { label: text.newProduct }]}
      />
      <PageHead title={text.newProduct} />
      <Refused refusal={refusal} />
      <Form method="post" className="panel office-form">
        <Field label={text.title_} name="title" required maxLength={200} error={errorOf('title')} />
        <Field label={text.stall} name="category" maxLength={100} error={errorOf('category')} />
        <Field
          label={text.sku}
          name="sku"
          required
          maxLength={64}
          pattern="[!-~]{1,64}"
          error={errorOf('sku')}
        />
        <Field
          label={text.price}
          name="price"
          required
          inputMode="decimal"
          hint={text.amountHint}
          error={errorOf('price')}
        />
        <Field
          label={text.currency}
          name="currency"
          required
          defaultValue="EUR"
          pattern="[A-Za-z]{3}"
          maxLength={3}
        />
        <Field
          label={text.onHand}
          name="quantity"
          type="number"
          min={0}
          max={1_000_000}
          defaultValue={0}
        />
        <p className="office-wide muted small">{text.newProductNote}</p>
        <div className="office-wide">
          <Button>{text.create}</Button>
        </div>
      </Form>
    </div>
  )
}
