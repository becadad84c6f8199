import { type LoaderFunctionArgs, redirect } from 'react-router'
import { orderIdOf } from '../../server/orders.server.ts'
import { pageOf } from '../../server/page.server.ts'
import { inPreferredLanguage } from '../../server/way-back.server.ts'

/** Where the payment of an order leads that is paid by bank transfer: its page says how. */
export function loader(args: LoaderFunctionArgs) {
  const page = pageOf(args)
  inPreferredLanguage(page, args.request.headers)
  const orderId = orderIdOf(page.url.searchParams.get('order'))
  return redirect(page.path(`/orders/${orderId}?placed=1`))
}

// Without a component an error thrown here would be answered as plain data.
export default function Transfer() {
  return null
}
