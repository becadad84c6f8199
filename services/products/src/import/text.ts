import { createHash } from 'node:crypto'
import sanitizeHtml from 'sanitize-html'
import { importLimits } from './imported-product.ts'

/** One line without control characters (PostgreSQL refuses NUL) or doubled blanks. */
export function cleanLine(text: string): string {
  return text.replace(/[\p{Cc}\s\uFEFF]+/gu, ' ').trim()
}

/**
 * Keeps the few tags that a product description needs and drops the rest with their attributes;
 * scripts and styles go with their content. Sanitising the result again changes nothing.
 */
export function sanitiseDescription(html: string): string {
  // Entities may name control characters (PostgreSQL refuses NUL), so these go after decoding.
  const kept = keepTags(html.replace(/<\/div\s*>/gi, '<br>')).replace(/[^\P{Cc}\n\t]/gu, '')
  // Without a dropped tag between them two tags may nest that must not; the second pass parts them.
  return keepTags(kept.replaceAll('\u00A0', ' ')).trim()
}

function keepTags(html: string): string {
  return sanitizeHtml(html, {
    allowedTags: ['p', 'br', 'ul', 'ol', 'li', 'strong', 'em', 'h3', 'h4'],
    allowedAttributes: {},
    transformTags: { b: 'strong', i: 'em', h1: 'h3', h2: 'h3' },
    // Deeper markup than this is no description; it would only cost memory to rebuild.
    nestingLimit: 12,
  })
}

const entities: Readonly<Record<string, string>> = {
  '&lt;': '<',
  '&gt;': '>',
  '&quot;': '"',
  '&amp;': '&',
}

/** The words of a description alone, for search and previews. */
export function toPlainText(html: string): string {
  const spaced = html.replace(/<(?:br|\/p|\/li|\/h\d|\/div)\b[^>]*>/gi, '$& ')
  const text = sanitizeHtml(spaced, { allowedTags: [], allowedAttributes: {} })
  return cleanLine(text.replace(/&(?:lt|gt|quot|amp);/g, (entity) => entities[entity] ?? entity))
}

const ligatures: Readonly<Record<string, string>> = { œ: 'oe', æ: 'ae', ß: 'ss', ø: 'o', ł: 'l' }

/** `[a-z0-9-]`, at most `limit` long and possibly empty; a cut name keeps a hash to stay unique. */
export function slugify(text: string, limit: number = importLimits.slug): string {
  const slug = text
    .toLowerCase()
    .replace(/[œæßøł]/g, (letter) => ligatures[letter] ?? letter)
    .normalize('NFKD')
    .replace(/['’\p{M}]/gu, '')
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-|-$/g, '')
  if (slug.length <= limit) return slug
  return `${slug.slice(0, limit - 9).replace(/-$/, '')}-${shortHash(slug)}`
}

/** Eight hexadecimal digits that depend on the text alone. */
export function shortHash(text: string): string {
  return createHash('sha256').update(text.normalize('NFC')).digest('hex').slice(0, 8)
}
