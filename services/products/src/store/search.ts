/**
 * Words of a search as patterns: the longest, which an index finds, and the others, which are looked
 * for in what it finds. Nothing without words.
 */
export function likeWords(words: readonly string[]): [] | [string, string[]] {
  const [first, ...rest] = words.map((word) => `%${word.replace(/[\\%_]/g, '\\$&')}%`)
  return first === undefined ? [] : [first, rest]
}
