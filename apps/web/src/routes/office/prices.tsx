import {
  type ActionFunctionArgs,
  data,
  Form,
  type LoaderFunctionArgs,
  useActionData,
  useNavigation,
} from 'react-router'
import { Button } from '../../design/Button.tsx'
import { Field, Select } from '../../design/Field.tsx'
import { Money } from '../../design/Money.tsx'
import { Notice } from '../../design/Notice.tsx'
import { Table } from '../../design/Table.tsx'
import { refusalOf } from '../../server/form.server.ts'
import { problemOf } from '../../server/page.server.ts'
import { useOfficeText } from '../../text/office-text.ts'
import { Hidden, PageHead, Refused } from './bits.tsx'
import { openOffice, toDone } from './office.server.ts'
import { type PriceForm, readPriceForm, toPriceChange } from './price-form.ts'

export async function loader(args: LoaderFunctionArgs) {
  await openOffice(args, ['products:write'])
  return null
}

/** `select` brings variants along, `preview` shows what would become of the prices, `apply` does it. */
export async function action(args: ActionFunctionArgs) {
  const { page } = await openOffice(args, ['products:write'])
  const form = await args.request.formData()
  const intent = form.get('intent')
  const asked = readPriceForm(form)
  const refuse = (code: string) =>
    data({ asked, refusal: { code, fields: [] as readonly string[] } }, { status: 422 })
  if (intent === 'select') return { asked }
  const change = toPriceChange(asked)
  if (typeof change === 'string') return refuse(change)
  const preview = async () =>
    (await page.call('changePrices', { body: { ...change, dryRun: true } })).data
  try {
    if (intent !== 'apply') return { asked, preview: await preview() }
    const fingerprint = String(form.get('fingerprint') ?? '')
    await page.call('changePrices', { body: { ...change, fingerprint } })
  } catch (error) {
    const refusal = refusalOf(error)
    // What was agreed to is no longer what would be done: show what would be done now.
    if (problemOf(error)?.code !== 'PRICES_CHANGED')
      return data({ asked, refusal }, { status: 422 })
    return data({ asked, refusal, preview: await preview() }, { status: 422 })
  }
  return toDone('/office/prices', 'pricesChanged')
}

export default function Prices() {
  const answer = useActionData<typeof action>()
  const text = useOfficeText()
  const preview = answer && 'preview' in answer ? answer.preview : undefined
  const refusal = answer && 'refusal' in answer ? answer.refusal : undefined
  return (
    <div className="stack">
      <PageHead title={text.prices} />
      <p className="muted">{text.pricesText}</p>
      <Refused refusal={refusal} />
      <Choose asked={answer?.asked} />
      {preview && answer && <Preview asked={answer.asked} preview={preview} />}
    </div>
  )
}

function Choose({ asked }: { asked: PriceForm | undefined }) {
  const text = useOfficeText()
  const isAsking = useNavigation().formData?.get('intent') === 'preview'
  const chosen = asked?.variantIds ?? ''
  return (
    <Form method="post" className="panel office-form" key={chosen}>
      <Hidden intent="preview" variantIds={chosen} />
      {chosen === '' ? (
        <>
          <Field
            label={text.searchProducts}
            name="q"
            type="search"
            defaultValue={asked?.q}
            hint={text.pricesWhich}
          />
          <Field label={text.stall} name="category" defaultValue={asked?.category} />
        </>
      ) : (
        <p className="office-wide">
          <strong>{text.variantsChosen(chosen.split(',').length)}</strong>
        </p>
      )}
      <Select label={text.changeBy} name="kind" defaultValue={asked?.kind}>
        <option value="percent">{text.byPercent}</option>
        <option value="amount">{text.byAmount}</option>
      </Select>
      <Field
        label={text.howMuch}
        name="size"
        defaultValue={asked?.size}
        required
        hint={text.howMuchHint}
        inputMode="text"
      />
      <Select label={text.rounding} name="rounding" defaultValue={asked?.rounding}>
        <option value="none">{text.roundings.none}</option>
        <option value="99">{text.roundings['99']}</option>
        <option value="95">{text.roundings['95']}</option>
      </Select>
      <Field
        label={text.currency}
        name="currency"
        defaultValue={asked?.currency ?? 'EUR'}
        required
        maxLength={3}
        pattern="[A-Za-z]{3}"
      />
      <div className="office-wide">
        <Button look="quiet" disabled={isAsking}>
          {text.preview}
        </Button>
      </div>
    </Form>
  )
}

type Line = {
  variantId: string
  sku: string
  title: string
  variantTitle: string
  from: { amountMinor: number; currency: string }
  to: { amountMinor: number; currency: string }
}

function Preview({
  asked,
  preview: { lines, unchanged, fingerprint },
}: {
  asked: PriceForm
  preview: { lines: readonly Line[]; unchanged: number; fingerprint: string }
}) {
  const text = useOfficeText()
  const isApplying = useNavigation().formData?.get('intent') === 'apply'
  if (lines.length === 0) return <Notice tone="warn">{text.nothingChanges}</Notice>
  return (
    <section className="stack" aria-live="polite">
      <h2>{text.previewOf(lines.length)}</h2>
      {unchanged > 0 && <p className="muted">{text.staysSame(unchanged)}</p>}
      <Form method="post" className="row">
        <Hidden {...asked} intent="apply" fingerprint={fingerprint} />
        <Button disabled={isApplying}>{text.apply(lines.length)}</Button>
        <span className="muted small">{text.applyNote}</span>
      </Form>
      <Table
        caption={text.previewOf(lines.length)}
        columns={[
          { label: text.product },
          { label: text.variant },
          { label: text.sku },
          { label: text.before, isNumeric: true },
          { label: text.after, isNumeric: true },
        ]}
      >
        {lines.map((line) => (
          <tr key={line.variantId}>
            <th scope="row">{line.title}</th>
            <td>{line.variantTitle}</td>
            <td className="numeric">{line.sku}</td>
            <td className="end">
              <Money value={line.from} />
            </td>
            <td className="end">
              <strong>
                <Money value={line.to} />
              </strong>
            </td>
          </tr>
        ))}
      </Table>
    </section>
  )
}
