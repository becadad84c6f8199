import { type LoaderFunctionArgs, redirect } from 'react-router'
import { pageOf } from '../../server/page.server.ts'
import { officePermissions, requireStaff } from '../../server/staff.server.ts'

/** Until there is a dashboard, the office opens with the products. */
export async function loader(args: LoaderFunctionArgs) {
  await requireStaff(pageOf(args), officePermissions)
  return redirect('/office/products')
}

export default function OfficeHome() {
  return null
}
