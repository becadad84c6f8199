/** What our files in YAML hold. */
export type Yaml = string | number | boolean | readonly Yaml[] | { readonly [key: string]: Yaml }

/** Writes YAML that any reader takes the same way. */
export function toYaml(value: { readonly [key: string]: Yaml }, indent = ''): string {
  return Object.entries(value)
    .map(([key, each]) => {
      if (typeof each !== 'object') return `${indent}${key}: ${toScalar(each)}\n`
      if (Object.keys(each).length === 0) return `${indent}${key}: {}\n`
      if (!Array.isArray(each)) {
        return `${indent}${key}:\n${toYaml(each as Record<string, Yaml>, `${indent}  `)}`
      }
      return `${indent}${key}:\n${each.map((item) => `${indent}  - ${toScalar(item)}\n`).join('')}`
    })
    .join('')
}

/** Texts always in quotes: nothing in them is then taken for a number, a date or a comment. */
const toScalar = (value: Yaml) => JSON.stringify(value)
