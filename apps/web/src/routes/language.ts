import { type ActionFunctionArgs, redirect } from 'react-router'
import { textOf } from '../server/form.server.ts'
import { pageOf, safeNext } from '../server/page.server.ts'

const yearSeconds = 31_536_000

/** Chooses the language of the areas that have none in their address. */
export async function action(args: ActionFunctionArgs) {
  const form = await args.request.formData()
  const language = textOf(form, 'language') === 'fr' ? 'fr' : 'en'
  const secure = pageOf(args).visit.publicUrl.startsWith('https:') ? '; Secure' : ''
  const cookie = `language=${language}; Path=/; SameSite=Lax; HttpOnly; Max-Age=${yearSeconds}${secure}`
  return redirect(safeNext(form.get('next'), '/office'), { headers: { 'set-cookie': cookie } })
}

export const loader = () => redirect('/office')
