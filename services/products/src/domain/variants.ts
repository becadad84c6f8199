import type { FieldError } from '@halles/kit/errors'
import type { Money } from '@halles/kit/money'
import { checkCurrencies, invalid, type NewVariant, newVariant, variantFaults } from './edit.ts'
import { checkExists, type Product, type Stamp, type Variant } from './product.ts'

/** A variant that there is, by its id, or a new one. */
export type VariantEdit = Omit<NewVariant, 'compareAtPrice'> & {
  id?: string
  compareAtPrice?: Money | null
}

/** The same with its id as the database writes it. */
type Edit = Omit<VariantEdit, 'id'> & { id: string | undefined }

/**
 * The product with exactly these options and variants, in this order. What is not named leaves the
 * product; orders keep what they have been promised of it.
 * @throws invalid or unprocessable, naming the fields that do not fit together.
 */
export function replaceVariants(
  product: Product,
  wanted: { options: readonly string[]; variants: readonly VariantEdit[] },
  { newId }: Stamp,
): Product {
  checkExists(product)
  const options = wanted.options.map((option) => option.trim())
  const edits = wanted.variants.map(({ id, ...edit }): Edit => ({ ...edit, id: id?.toLowerCase() }))
  const known = new Map(product.variants.map((variant) => [variant.id, variant]))
  const inputs = edits.map(toInput)
  const faults = [...idFaults(edits, known), ...variantFaults(inputs, options)]
  if (faults.length > 0) throw invalid(faults)
  checkCurrencies(inputs, product.variants[0]?.price.currency)
  const variants = edits.map((edit, index) => {
    const input = inputs[index] as NewVariant
    const made = newVariant(input, newId())
    const before = edit.id === undefined ? undefined : known.get(edit.id)
    return before ? edited(before, { edit, made }) : made
  })
  return { ...product, options, variants }
}

/** What the edit leaves out stays; a variant's stock is not the edit's. */
function edited(before: Variant, { edit, made }: { edit: Edit; made: Variant }): Variant {
  const { compareAtPrice } = edit
  const isSame = JSON.stringify(before.optionValues) === JSON.stringify(made.optionValues)
  return {
    ...before,
    sku: made.sku,
    title: edit.title === undefined && isSame ? before.title : made.title,
    optionValues: made.optionValues,
    price: made.price,
    compareAtPrice: compareAtPrice === undefined ? before.compareAtPrice : compareAtPrice,
  }
}

function toInput({ compareAtPrice, id: _id, ...edit }: Edit): NewVariant {
  return { ...edit, ...(compareAtPrice ? { compareAtPrice } : {}) }
}

function idFaults(edits: readonly Edit[], known: ReadonlyMap<string, Variant>): FieldError[] {
  const seen = new Set<string>()
  return edits.flatMap(({ id, quantity }, index): FieldError[] => {
    if (id === undefined) return []
    const pointer = `/body/variants/${index}`
    if (!known.has(id)) {
      return [{ pointer: `${pointer}/id`, detail: 'is no variant of this product' }]
    }
    if (seen.has(id)) return [{ pointer: `${pointer}/id`, detail: 'is given twice' }]
    seen.add(id)
    if (quantity === undefined) return []
    return [{ pointer: `${pointer}/quantity`, detail: 'is set by itself once the variant exists' }]
  })
}
