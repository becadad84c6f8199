import type { Product } from './product.ts'

const ligatures: Readonly<Record<string, string>> = { œ: 'oe', æ: 'ae', ß: 'ss', ø: 'o', ł: 'l' }

// More words than this only narrow a search that is already empty.
const maxWords = 8
// Keeps a cursor that carries the key within its 512 characters.
const titleKeyLength = 60
// Normalising can make a text many times longer than an index entry may be.
const categoryKeyLength = 150

/** Text as it is compared: lower case, without accents, one blank between words. */
export function normalise(text: string): string {
  return text
    .toLowerCase()
    .replace(/[œæßøł]/g, (letter) => ligatures[letter] ?? letter)
    .normalize('NFKD')
    .replace(/\p{M}+/gu, '')
    .replace(/[\s\p{Cc}]+/gu, ' ')
    .trim()
}

/** The words of a search; a product is found when its text contains each of them, longest first. */
export function searchWords(query: string): string[] {
  const words = normalise(query)
    .split(' ')
    .filter((word) => word !== '')
  return [...new Set(words)].toSorted((a, b) => b.length - a.length).slice(0, maxWords)
}

export function searchText({ title, category, tags, vendor, variants }: Product): string {
  const skus = variants.map(({ sku }) => sku)
  return normalise([title, category ?? '', vendor ?? '', ...tags, ...skus].join(' '))
}

/** What the sort by title compares; equal keys fall back on the id. */
export function titleKey(title: string): string {
  return cut(title, titleKeyLength)
}

export function categoryKey(category: string): string {
  return cut(category, categoryKeyLength)
}

function cut(text: string, length: number): string {
  return [...normalise(text)].slice(0, length).join('')
}
