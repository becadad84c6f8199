import { type ActionFunctionArgs, redirect } from 'react-router'
import { textOf } from '../server/form.server.ts'
import { languageCookie } from '../server/language-cookie.server.ts'
import { pageOf, safeNext } from '../server/page.server.ts'

/** Chooses the language of the areas that have none in their address. */
export async function action(args: ActionFunctionArgs) {
  const form = await args.request.formData()
  const language = textOf(form, 'language') === 'fr' ? 'fr' : 'en'
  const cookie = languageCookie(language, pageOf(args).visit.publicUrl)
  return redirect(safeNext(form.get('next'), '/office'), { headers: { 'set-cookie': cookie } })
}

export const loader = () => redirect('/office')
