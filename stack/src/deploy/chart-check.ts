import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { AppError } from '@halles/kit/errors'
import { stringify } from 'yaml'
import { expectedCalls, toText } from './arrows.ts'
import { chartDrift, chartFolder } from './chart.ts'
import { chartServices, dialled } from './chart-topology.ts'
import { type Manifest, parseManifests } from './manifests.ts'
import { policyFaults } from './policies.ts'
import { lint, render, validate } from './tools.ts'

/** Files of values: each is a way to install the chart. */
export function exampleValues(): string[] {
  const folder = resolve(chartFolder, '../examples')
  return readdirSync(folder)
    .filter((name) => name.endsWith('.yaml'))
    .map((name) => join(folder, name))
}

/** Whether what is generated was generated from what is there. Needs no tools. */
export function topologyFaults(folder: string): string[] {
  const found = new Set(dialled(chartServices()).map(toText))
  const wanted = new Set(expectedCalls().map(toText))
  return [
    ...chartDrift(folder),
    ...[...found]
      .filter((text) => !wanted.has(text))
      .map((text) => `No contract knows the call ${text}.`),
    ...[...wanted]
      .filter((text) => !found.has(text))
      .map((text) => `The topology gives no address for ${text}.`),
  ]
}

/** What the schemas of Kubernetes know nothing of: resources that operators bring along. */
export const customKinds: readonly string[] = [
  ...['ScaledObject', 'TriggerAuthentication'],
  ...['Cluster', 'RabbitmqCluster', 'PodMonitor'],
]

/** The manifests that a chart makes of a file of values. Throws an AppError with what helm says. */
export async function renderChart(
  helm: string,
  chart: string,
  values: readonly string[],
): Promise<Manifest[]> {
  return inTemporaryFolder(async (folder) =>
    parseManifests(await render(helm, chart, { values, folder })),
  )
}

/** Everything that is wrong with a chart and one file of values: a line for each fault. */
export async function chartFaults(
  helm: string,
  chart: string,
  values: readonly string[],
): Promise<string[]> {
  try {
    await lint(helm, chart, values)
    return policyFaults(await renderChart(helm, chart, values))
  } catch (error) {
    if (error instanceof AppError) return [error.message]
    throw error
  }
}

/** What the schemas of Kubernetes find wrong with manifests; what is there twice is asked once. */
export async function schemaFaults(
  validator: string,
  manifests: readonly Manifest[],
): Promise<string[]> {
  const known = manifests.filter(({ kind }) => !customKinds.includes(kind))
  const texts = new Set(known.map((manifest) => stringify(manifest)))
  return inTemporaryFolder(async (folder) => {
    const path = join(folder, 'manifests.yaml')
    writeFileSync(path, [...texts].join('---\n'))
    try {
      const said = await validate(validator, path)
      return said.filter((line) => line.startsWith('WARN'))
    } catch (error) {
      if (error instanceof AppError) return [error.message]
      throw error
    }
  })
}

async function inTemporaryFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'halles-chart-'))
  try {
    return await work(folder)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
