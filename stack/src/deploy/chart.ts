import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { chartSchemaFile } from './chart-schema.ts'
import { chartTopologyFile } from './chart-topology.ts'
import { platformSecrets } from './platform-secrets.ts'

const help = `Writes what the Helm chart knows of the topology.

  node stack/src/deploy/chart.ts                    the files of deploy/helm/halles that are generated
  node stack/src/deploy/chart.ts --secrets FOLDER   new keys of the platform, a file for each, once
  node stack/src/deploy/chart.ts --help             this text
`

/** The folder of the chart. */
export const chartFolder = resolve(import.meta.dirname, '../../../deploy/helm/halles')

const generated: Readonly<Record<string, () => string>> = {
  'files/topology.yaml': chartTopologyFile,
  'values.schema.json': chartSchemaFile,
}

/** What is wrong with the generated files of a chart: one line for each that is stale. */
export function chartDrift(folder: string): string[] {
  return Object.entries(generated)
    .filter(([name, make]) => readFileSync(join(folder, name), 'utf8') !== make())
    .map(([name]) => `${name} is not what the topology says: run node stack/src/deploy/chart.ts`)
}

function main(): void {
  const { values } = parseArgs({
    options: { secrets: { type: 'string' }, help: { type: 'boolean', default: false } },
  })
  if (values.help) {
    process.stdout.write(help)
  } else if (values.secrets !== undefined) {
    mkdirSync(values.secrets, { recursive: true, mode: 0o700 })
    for (const [name, value] of Object.entries(platformSecrets())) {
      // Never over keys that are in use.
      writeFileSync(join(values.secrets, name), value, { mode: 0o600, flag: 'wx' })
    }
  } else {
    for (const [name, make] of Object.entries(generated)) {
      writeFileSync(join(chartFolder, name), make())
    }
  }
}

if (import.meta.main) main()
