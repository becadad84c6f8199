import {
  type ActionFunctionArgs,
  data,
  Form,
  Link,
  type LoaderFunctionArgs,
  redirect,
  useActionData,
  useLoaderData,
} from 'react-router'
import { Button } from '../../design/Button.tsx'
import { Field } from '../../design/Field.tsx'
import { Notice } from '../../design/Notice.tsx'
import {
  addressOf,
  countriesIn,
  likelyCountry,
  readAddresses,
} from '../../server/address.server.ts'
import { readCart } from '../../server/cart.server.ts'
import { draftOf, keepDraft } from '../../server/checkout.server.ts'
import { refusalOf, textOf } from '../../server/form.server.ts'
import { attempt, type Page, pageDataOf, pageOf } from '../../server/page.server.ts'
import { useShopText } from '../../text/shop-text.ts'
import { AddressFields } from './AddressFields.tsx'
import { AddressText } from './AddressText.tsx'
import './buying.css'
import { personalMeta } from './meta.ts'
import { Steps } from './Steps.tsx'
import { usePath } from './use-path.ts'

export async function loader(args: LoaderFunctionArgs) {
  const page = pageOf(args)
  const [cart, saved] = await Promise.all([readCart(page), readAddresses(page)])
  if (!cart || cart.lines.length === 0) throw redirect(page.path('/cart'))
  const draft = draftOf(page)
  return {
    ...pageDataOf(page),
    ...saved,
    isGuest: !page.visit.isSignedIn,
    countries: countriesIn(page.language),
    likely: likelyCountry(args.request.headers),
    draft: draft ? { email: draft.email, address: draft.address, method: draft.method } : null,
  }
}

export const meta = personalMeta<Awaited<ReturnType<typeof loader>>>(
  ({ checkoutPage }) => checkoutPage.title,
)

export async function action(args: ActionFunctionArgs) {
  const page = pageOf(args)
  const form = await args.request.formData()
  const method = textOf(form, 'method') === 'bank_transfer' ? 'bank_transfer' : 'online'
  const chosen = textOf(form, 'saved')
  const { addresses } = await readAddresses(page)
  const saved = addresses.find(({ id }) => id === chosen)
  const { address, fields } = saved ? { address: saved.address, fields: [] } : addressOf(form)
  const email = await emailFor(page, form)
  const wrong = email === undefined ? [...fields, 'email'] : fields
  const given = { address, email: email ?? textOf(form, 'email'), method, chosen } as const
  if (wrong.length > 0 || email === undefined) {
    return data({ ...given, code: 'INVALID_REQUEST', fields: wrong }, { status: 422 })
  }
  if (!saved && form.has('keep') && page.visit.isSignedIn) {
    try {
      await page.call('addAddress', { body: address })
    } catch (error) {
      const refusal = refusalOf(error)
      // Keeping it is a favour: that it cannot be done now does not hold up a purchase.
      if (refusal.code !== 'unavailable') return data({ ...given, ...refusal }, { status: 422 })
    }
  }
  await keepDraft(page, { email, address, method })
  return redirect(page.path('/checkout/review'))
}

/** A guest's as written, an account's own; undefined when it is none. */
async function emailFor(page: Page, form: FormData): Promise<string | undefined> {
  if (page.visit.isSignedIn) {
    // Without it the payment's page asks.
    return (await attempt(page.call('getMe', {}))).data?.data.email ?? ''
  }
  const email = textOf(form, 'email')
  return /^[^\s@]{1,64}@[^\s@]+\.[^\s@]+$/.test(email) && email.length <= 254 ? email : undefined
}

export default function Checkout() {
  const { isGuest, addresses, isAway, countries, likely, draft } = useLoaderData<typeof loader>()
  const refused = useActionData<typeof action>()
  const { checkoutPage: text, ...words } = useShopText()
  const path = usePath()
  const given = refused ?? draft
  const hasSaved = addresses.length > 0
  const isDrafted = (id: string) =>
    JSON.stringify(addresses.find((each) => each.id === id)?.address) ===
    JSON.stringify(draft?.address)
  const chosen =
    refused?.chosen ||
    (draft ? addresses.find(({ id }) => isDrafted(id))?.id : addresses[0]?.id) ||
    'other'
  return (
    <div className="inside narrow stack">
      <Steps at="address" />
      <h1>{text.title}</h1>
      {refused && <Notice tone="bad">{words.errors[refused.code] ?? words.errors.other}</Notice>}
      {isGuest && (
        <p>
          <Link to={`${path('/sign-in')}?next=${path('/checkout')}`}>{text.signInFirst}</Link>
        </p>
      )}
      {isAway && <Notice tone="warn">{text.addressesAway}</Notice>}
      <Form method="post" className="stack checkout-form">
        {isGuest && (
          <section className="panel stack" aria-labelledby="contact">
            <h2 id="contact">{text.contact}</h2>
            <Field
              label={words.email}
              hint={text.emailHint}
              name="email"
              type="email"
              autoComplete="email"
              required
              maxLength={254}
              defaultValue={given?.email}
              error={refused?.fields.includes('email') ? words.invalid.email : undefined}
            />
          </section>
        )}
        <section className="panel stack" aria-labelledby="where">
          <h2 id="where">{text.whereTo}</h2>
          {hasSaved && (
            <fieldset className="choices">
              <legend className="field-label">{text.saved}</legend>
              {addresses.map(({ id, address }) => (
                <label className="choice" key={id}>
                  <input type="radio" name="saved" value={id} defaultChecked={chosen === id} />
                  <AddressText address={address} countries={countries} />
                </label>
              ))}
              <label className="choice">
                <input
                  type="radio"
                  name="saved"
                  value="other"
                  defaultChecked={chosen === 'other'}
                />
                {text.other}
              </label>
            </fieldset>
          )}
          <div className={hasSaved ? 'stack other-address' : 'stack'}>
            <AddressFields
              address={chosen === 'other' ? given?.address : undefined}
              countries={countries}
              likely={likely}
              wrong={refused?.fields ?? []}
              isRequired={!hasSaved}
            />
            {!isGuest && (
              <label className="check">
                <input type="checkbox" name="keep" value="1" /> {text.keep}
              </label>
            )}
          </div>
        </section>
        <section className="panel stack" aria-labelledby="how">
          <h2 id="how">{text.method}</h2>
          <fieldset className="choices">
            <legend className="visually-hidden">{text.method}</legend>
            {(['online', 'bank_transfer'] as const).map((method) => (
              <label className="choice" key={method}>
                <input
                  type="radio"
                  name="method"
                  value={method}
                  defaultChecked={(given?.method ?? 'online') === method}
                />
                <span>
                  {text.methods[method]}
                  {method === 'bank_transfer' && (
                    <span className="field-hint block">{text.methodHint}</span>
                  )}
                </span>
              </label>
            ))}
          </fieldset>
        </section>
        <Button size="large">{text.next}</Button>
      </Form>
    </div>
  )
}
