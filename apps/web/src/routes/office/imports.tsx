import {
  type ActionFunctionArgs,
  Form,
  type LoaderFunctionArgs,
  redirect,
  useActionData,
  useNavigation,
} from 'react-router'
import { Button } from '../../design/Button.tsx'
import { Field } from '../../design/Field.tsx'
import { numberOf, textOf } from '../../server/form.server.ts'
import { useOfficeText } from '../../text/office-text.ts'
import { PageHead, Refused } from './bits.tsx'
import { openOffice, refused, stay } from './office.server.ts'

// What the API takes.
const maxBytes = 16 * 1024 * 1024

export async function loader(args: LoaderFunctionArgs) {
  await openOffice(args, ['products:write'])
  return null
}

export async function action(args: ActionFunctionArgs) {
  const { page } = await openOffice(args, ['products:write'])
  const form = await args.request.formData()
  const file = form.get('file')
  if (!(file instanceof File) || file.size === 0) return stay({ code: 'NO_FILE', fields: ['file'] })
  if (file.size > maxBytes) return stay({ code: 'FILE_TOO_LARGE', fields: ['file'] })
  const currency = textOf(form, 'currency').toUpperCase()
  const quantity = numberOf(form, 'quantity', { min: 0, max: 1_000_000, fallback: 0 })
  try {
    const { data } = await page.call('importProducts', {
      query: { currency, quantity },
      headers: { 'content-type': 'text/csv' },
      body: await file.text(),
    })
    return redirect(`/office/imports/${data.id}`)
  } catch (error) {
    return refused(error)
  }
}

export default function Imports() {
  const refusal = useActionData<typeof action>()?.refusal
  const text = useOfficeText()
  const isSending = useNavigation().state === 'submitting'
  return (
    <div className="stack">
      <PageHead title={text.imports} />
      <p className="muted">{text.importsText}</p>
      <Refused refusal={refusal} />
      <Form method="post" encType="multipart/form-data" className="panel stack">
        <Field label={text.csvFile} name="file" type="file" accept=".csv,text/csv" required />
        <div className="office-form">
          <Field
            label={text.currency}
            name="currency"
            defaultValue="EUR"
            required
            maxLength={3}
            pattern="[A-Za-z]{3}"
            hint={text.importCurrency}
          />
          <Field
            label={text.importQuantity}
            name="quantity"
            type="number"
            min={0}
            max={1_000_000}
            defaultValue={0}
            hint={text.importQuantityHint}
          />
        </div>
        <div>
          <Button disabled={isSending}>{isSending ? text.uploading : text.startImport}</Button>
        </div>
      </Form>
    </div>
  )
}
