import type { SavedAddress } from '@halles/contracts/gen/http/customers'
import {
  type ActionFunctionArgs,
  data,
  Form,
  Link,
  type LoaderFunctionArgs,
  redirect,
  useActionData,
  useLoaderData,
  useSearchParams,
} from 'react-router'
import { Button } from '../../design/Button.tsx'
import { EmptyState } from '../../design/EmptyState.tsx'
import { Notice } from '../../design/Notice.tsx'
import { addressOf, countriesIn, likelyCountry } from '../../server/address.server.ts'
import { refusalOf, textOf } from '../../server/form.server.ts'
import { pageDataOf, pageOf, signInPath } from '../../server/page.server.ts'
import { useShopText } from '../../text/shop-text.ts'
import { AccountFrame } from './AccountFrame.tsx'
import { AddressFields } from './AddressFields.tsx'
import { AddressText } from './AddressText.tsx'
import { personalMeta } from './meta.ts'
import { usePath } from './use-path.ts'

export async function loader(args: LoaderFunctionArgs) {
  const page = pageOf(args)
  if (!page.visit.isSignedIn) throw redirect(signInPath(page))
  const { data: saved } = await page.call('listAddresses', {})
  return {
    ...pageDataOf(page),
    addresses: saved.items,
    countries: countriesIn(page.language),
    likely: likelyCountry(args.request.headers),
  }
}

export const meta = personalMeta<Awaited<ReturnType<typeof loader>>>(
  ({ account }) => account.addresses,
)

/** Without an id a new address; with one it is replaced, or removed. */
export async function action(args: ActionFunctionArgs) {
  const page = pageOf(args)
  const form = await args.request.formData()
  const addressId = textOf(form, 'addressId')
  const { address, fields } = addressOf(form)
  try {
    if (textOf(form, 'intent') === 'remove') {
      await page.call('removeAddress', { params: { addressId } })
    } else if (fields.length > 0) {
      return data({ code: 'INVALID_REQUEST', fields, address }, { status: 422 })
    } else if (addressId === '') await page.call('addAddress', { body: address })
    else await page.call('replaceAddress', { params: { addressId }, body: address })
  } catch (error) {
    return data({ ...refusalOf(error), address }, { status: 422 })
  }
  return redirect(page.path('/account/addresses?saved=1'))
}

export default function Addresses() {
  const { addresses, countries, likely } = useLoaderData<typeof loader>()
  const refused = useActionData<typeof action>()
  const [search] = useSearchParams()
  const { account: text, ...words } = useShopText()
  const path = usePath()
  const edited = addresses.find(({ id }) => id === search.get('edit'))
  return (
    <AccountFrame>
      {search.has('saved') && !refused && <Notice tone="good">{text.saved}</Notice>}
      {refused && <Notice tone="bad">{words.errors[refused.code] ?? words.errors.other}</Notice>}
      {addresses.length === 0 && (
        <EmptyState title={text.noAddresses} text={text.noAddressesText} />
      )}
      <ul className="order-list">
        {addresses.map((saved) => (
          <li key={saved.id} className="panel stack">
            <AddressText address={saved.address} countries={countries} />
            <Choices saved={saved} />
          </li>
        ))}
      </ul>
      <section className="panel stack" aria-labelledby="form">
        <h2 id="form">{edited ? text.editTitle : text.newAddress}</h2>
        <Form method="post" action={path('/account/addresses')} className="stack">
          <input type="hidden" name="addressId" value={edited?.id ?? ''} />
          <AddressFields
            key={edited?.id ?? `new ${addresses.length}`}
            address={refused?.address ?? edited?.address}
            countries={countries}
            likely={likely}
            wrong={refused?.fields ?? []}
          />
          <div className="row">
            <Button>{text.save}</Button>
            {edited && <Link to={path('/account/addresses')}>{text.cancel}</Link>}
          </div>
        </Form>
      </section>
    </AccountFrame>
  )
}

function Choices({ saved: { id, address } }: { saved: SavedAddress }) {
  const { account: text } = useShopText()
  const path = usePath()
  return (
    <div className="row">
      <Link to={path(`/account/addresses?edit=${id}#form`)} aria-label={text.editOne(address.name)}>
        {text.edit}
      </Link>
      <Form method="post" action={path('/account/addresses')}>
        <input type="hidden" name="addressId" value={id} />
        <Button look="plain" name="intent" value="remove" aria-label={text.removeOne(address.name)}>
          {text.remove}
        </Button>
      </Form>
    </div>
  )
}
