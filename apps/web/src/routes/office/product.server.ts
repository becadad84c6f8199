import { data } from 'react-router'
import { refusalOf, textOf } from '../../server/form.server.ts'
import type { PageArgs } from '../../server/page.server.ts'
import { idOf, isConflict, type Office, openOffice } from './office.server.ts'

/** What the pages of a product read: the product, and whether its reader may change it. */
export async function loadProduct(args: PageArgs) {
  const office = await openOffice(args, ['products:read'])
  const product = await readProduct(office, idOf(args, 'productId'))
  return { product, mayWrite: office.may('products:write') }
}

export async function readProduct({ page }: Office, productId: string) {
  const { data: product } = await page.call('getCatalogueProduct', { params: { productId } })
  return product
}

/** The version that a form has seen, as the API wants it. */
export function ifMatch(form: FormData): Record<string, string> {
  const version = textOf(form, 'version')
  return /^\d{1,15}$/.test(version) ? { 'if-match': `"${version}"` } : {}
}

/** A refusal; where somebody else was faster, with what the product is now. */
export async function refusedProduct(office: Office, productId: string, error: unknown) {
  const refusal = refusalOf(error)
  const current = isConflict(error) ? await readProduct(office, productId) : undefined
  return data({ refusal, current }, { status: 422 })
}
