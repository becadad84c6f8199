import { readFileSync } from 'node:fs'
import { basename, resolve } from 'node:path'
import { AppError } from '@halles/kit/errors'
import { composeFiles } from '../compose.ts'
import { composeLoader, loaderFaults } from '../compose-check.ts'
import type { CachedTool } from '../tools/cached-tool.ts'
import { chartFolder } from './chart.ts'
import {
  chartFaults,
  customKinds,
  exampleValues,
  renderChart,
  schemaFaults,
  topologyFaults,
} from './chart-check.ts'
import { helmTool, validatorTool } from './tools.ts'

type Step = { name: string; find(): Promise<string[]> }

const deploy = resolve(import.meta.dirname, '../../../deploy')
const read = (name: string) => readFileSync(resolve(deploy, name), 'utf8')

function composeFaults(): string[] {
  return Object.entries(composeFiles())
    .filter(([name, text]) => read(name) !== text)
    .map(([name]) => `deploy/${name} is not what the topology says: run node stack/src/compose.ts`)
}

/** A tool, or why it cannot be had here. */
async function tryProvide(tool: CachedTool): Promise<{ path?: string; reason?: string }> {
  try {
    return { path: await tool.provide() }
  } catch (error) {
    if (error instanceof AppError) return { reason: error.message }
    throw error
  }
}

function composeStep(loader: string): Step {
  return { name: 'Compose by its own loader', find: () => loaderFaults(loader) }
}

function chartSteps(helm: string, validator: string | undefined): Step[] {
  const examples = exampleValues()
  const schemas: Step = {
    name: `schemas of Kubernetes, but for ${customKinds.join(', ')}`,
    async find() {
      const rendered = examples.map((file) => renderChart(helm, chartFolder, [file]))
      return schemaFaults(validator ?? '', (await Promise.all(rendered)).flat())
    },
  }
  return [
    ...examples.map((file) => ({
      name: `chart with ${basename(file)}: helm, and our own rules`,
      find: () => chartFaults(helm, chartFolder, [file]),
    })),
    ...(validator === undefined ? [] : [schemas]),
  ]
}

async function run({ name, find }: Step): Promise<boolean> {
  const startedAtMs = performance.now()
  const faults = await find()
  const seconds = ((performance.now() - startedAtMs) / 1_000).toFixed(1)
  console.log(`${faults.length === 0 ? 'ok    ' : 'FAILED'}  ${name} (${seconds} s)`)
  for (const fault of faults) console.error(`  ${fault}`)
  return faults.length === 0
}

function skip(name: string, reason: string | undefined): void {
  console.log(`skipped ${name}: ${reason}`)
}

async function main(): Promise<void> {
  const isFine = [
    await run({ name: 'Compose and HAProxy', find: async () => composeFaults() }),
    await run({ name: 'topology of the chart', find: async () => topologyFaults(chartFolder) }),
  ]
  const helm = await tryProvide(helmTool)
  const validator = await tryProvide(validatorTool)
  if (helm.path === undefined) skip('everything that helm renders', helm.reason)
  else if (validator.path === undefined) skip('schemas of Kubernetes', validator.reason)
  const { path: loader, reason } = await tryProvide(composeLoader)
  if (loader === undefined) skip('Compose by its own loader', reason)
  const steps = [
    ...(loader === undefined ? [] : [composeStep(loader)]),
    ...(helm.path === undefined ? [] : chartSteps(helm.path, validator.path)),
  ]
  for (const step of steps) isFine.push(await run(step))
  process.exitCode = isFine.every(Boolean) ? 0 : 1
}

if (import.meta.main) await main()
