import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'

/** As much of CycloneDX 1.5 as we touch: https://cyclonedx.org/docs/1.5/json/ */
type Bom = {
  serialNumber: string
  metadata: { timestamp: string; component: Component; [more: string]: unknown }
  components: Component[]
  dependencies: { ref: string; dependsOn?: string[] }[]
}
type Component = { 'bom-ref': string; name: string }

// All packages of a large tree are some 100,000 lines.
const maxBytes = 64 * 1024 * 1024

/**
 * The bill of materials of an image: what npm knows of its packages, without those that only build
 * and test. The same sources make the same document.
 * @param packages what went in, as `name@version`.
 */
export function billOf(
  root: string,
  { packages, epochSeconds }: { packages: readonly string[]; epochSeconds: number },
): string {
  // The lock file's word: what is needed to develop is not installed here, which npm would mind.
  const args = ['sbom', '--package-lock-only', '--sbom-format', 'cyclonedx']
  const text = execFileSync('npm', [...args, '--sbom-type', 'application'], {
    ...{ cwd: root, encoding: 'utf8', maxBuffer: maxBytes },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  return narrow(JSON.parse(text) as Bom, packages, epochSeconds)
}

function narrow(bom: Bom, packages: readonly string[], epochSeconds: number): string {
  const wanted = new Set(packages)
  const components = bom.components.filter((each) => wanted.has(each['bom-ref']))
  const known = new Set(components.map((each) => each['bom-ref']))
  const missing = packages.filter((each) => !known.has(each))
  if (missing.length > 0) throw new Error(`npm does not know ${missing.join(', ')}.`)
  const self = bom.metadata.component['bom-ref']
  const narrowed = {
    ...bom,
    metadata: {
      ...bom.metadata,
      timestamp: new Date(epochSeconds * 1_000).toISOString(),
      lifecycles: [{ phase: 'build' }],
      // npm takes the name of the folder.
      component: { ...bom.metadata.component, name: 'halles' },
    },
    components,
    dependencies: [
      // Our own workspaces are the image itself, which holds everything.
      { ref: self, dependsOn: [...known] },
      ...bom.dependencies
        .filter(({ ref }) => known.has(ref))
        .map(({ ref, dependsOn = [] }) => ({
          ref,
          dependsOn: dependsOn.filter((each) => known.has(each)),
        })),
    ],
  }
  return `${JSON.stringify({ ...narrowed, serialNumber: serialOf(narrowed) }, null, 2)}\n`
}

/** A UUID of version 8 (RFC 9562) that follows from the content, where npm takes a random one. */
function serialOf(bom: Bom): string {
  const text = JSON.stringify({ ...bom, serialNumber: '' })
  const hash = createHash('sha256').update(text).digest('hex')
  const groups = /^(.{8})(.{4})(.{3})(.{3})(.{12})/.exec(hash) ?? []
  const [, a, b, c, d, e] = groups
  return `urn:uuid:${a}-${b}-8${c}-8${d}-${e}`
}
