import { type ActionFunctionArgs, type LoaderFunctionArgs, redirect } from 'react-router'
import { pageOf } from '../../server/page.server.ts'

export async function action(args: ActionFunctionArgs) {
  const page = pageOf(args)
  await page.visit.signOut()
  return redirect(page.path('/'))
}

export const loader = (args: LoaderFunctionArgs) => redirect(pageOf(args).path('/'))
