/**
 * Holds the schemas of messages against the published ones in `published/`: a type that is there is
 * read by others, also from a topic's past, and may only grow. `--publish` adds new types and growth;
 * it never overwrites what a reader depends on.
 */
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { schemas } from '../gen/schemas.ts'
import { compareSchemas, type Difference, type JsonSchema } from './compatibility/compare.ts'
import { proveBySamples } from './compatibility/proof.ts'

type Schemas = Readonly<Record<string, JsonSchema>>

/** What is to be said of the contracts: `faults` forbid a release, `unpublished` can be added. */
export type Verdict = {
  faults: readonly string[]
  unpublished: readonly { type: string; says: string }[]
}

/** Compares every message's schema with the published one of its type. */
export function judgeContracts(published: Schemas, current: Schemas): Verdict {
  const removed = Object.keys(published)
    .filter((type) => !(type in current))
    .map((type) => `${type} is published and no longer there. ${keepIt}`)
  const faults = [...removed]
  const unpublished: { type: string; says: string }[] = []
  for (const [type, schema] of Object.entries(current)) {
    const known = published[type]
    if (!known) unpublished.push({ type, says: 'is new' })
    else if (!isDeepStrictEqual(known, schema)) {
      const differences = findDifferences(known, schema)
      faults.push(...differences.map((each) => toFault(type, each)))
      if (differences.length === 0) unpublished.push({ type, says: 'has grown' })
    }
  }
  return { faults, unpublished }
}

/** By rule, which names the place in the schema; what the rule lets pass is tried with messages. */
function findDifferences(published: JsonSchema, current: JsonSchema): Difference[] {
  const differences = compareSchemas(published, current)
  return differences.length > 0 ? differences : proveBySamples(published, current)
}

const keepIt = 'Topics and dead letters may hold such messages: keep it as it is'

function toFault(type: string, { pointer, detail }: Difference): string {
  return `${type} ${pointer || '/'} ${detail}. ${keepIt}, and add ${nextVersion(type)} beside it.`
}

function nextVersion(type: string): string {
  return type.replace(/\d+$/, (version) => String(Number(version) + 1))
}

async function readPublished(folder: string): Promise<Schemas> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.json')).sort()
  const read = names.map(async (name) => {
    const schema = JSON.parse(await readFile(join(folder, name), 'utf8')) as JsonSchema
    return [name.slice(0, -'.json'.length), schema] as const
  })
  return Object.fromEntries(await Promise.all(read))
}

/** Runs the check, or publishes; returns the lines to show. Throws when the folder cannot be read. */
export async function reviewContracts(
  folder: string,
  current: Schemas,
  { publish }: { publish: boolean },
): Promise<{ isFine: boolean; lines: string[] }> {
  await mkdir(folder, { recursive: true })
  const { faults, unpublished } = judgeContracts(await readPublished(folder), current)
  if (faults.length > 0) return { isFine: false, lines: [...faults] }
  if (!publish) {
    const hint = 'Run `npm run publish-contracts` and commit it.'
    const lines = unpublished.map(({ type, says }) => `${type} ${says}. ${hint}`)
    return { isFine: lines.length === 0, lines }
  }
  for (const { type } of unpublished) {
    const text = `${JSON.stringify(current[type], null, 2)}\n`
    await writeFile(join(folder, `${type}.json`), text)
  }
  return { isFine: true, lines: unpublished.map(({ type, says }) => `${type} ${says}: published.`) }
}

if (import.meta.main) {
  const folder = join(import.meta.dirname, '../published')
  const publish = process.argv.includes('--publish')
  const { isFine, lines } = await reviewContracts(folder, schemas as Schemas, { publish })
  for (const line of lines) (isFine ? console.log : console.error)(line)
  process.exitCode = isFine ? 0 : 1
}
