import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { runTool } from '../brokers/run-tool.ts'
import { goTool } from '../tools/go-tool.ts'
import { pythonTool } from '../tools/python-tool.ts'

const helmVersion = '3.22.0'
const validatorVersion = '1.36.0'

// Each runs for seconds where little else does.
const runLimitMs = 300_000

/** The release of Kubernetes that charts are rendered for; helm built from source assumes 1.20. */
const renderedFor = '1.36.0'
/** The oldest that the chart names, and the newest whose schemas the validator has. */
const validatedFor = ['1.30', '1.36']

export const helmTool = goTool({
  name: 'helm',
  module: `helm.sh/helm/v3/cmd/helm@v${helmVersion}`,
  folder: `helm-${helmVersion}`,
})

/** The Python that has kubernetes-validate, and the schemas that it brings along. */
export const validatorTool = pythonTool({
  name: 'kubernetes-validate',
  folder: `python/kubernetes-validate-${validatorVersion}`,
  packages: [`kubernetes-validate==${validatorVersion}`],
})

const release = ['--kube-version', renderedFor, '--namespace', 'shop']

/** Runs `helm lint --strict`. Throws an AppError with what it says. */
export async function lint(helm: string, chart: string, values: readonly string[]): Promise<void> {
  await runTool({
    command: helm,
    args: ['lint', chart, '--strict', '--quiet', ...release, ...values.flatMap(toOption)],
    purpose: 'helm lint does not accept the chart',
    limitMs: runLimitMs,
  })
}

/** Renders a chart and returns the text of its manifests. Throws an AppError with what helm says. */
export async function render(
  helm: string,
  chart: string,
  { values, folder }: { values: readonly string[]; folder: string },
): Promise<string> {
  const output = ['--output-dir', folder]
  await runTool({
    command: helm,
    args: ['template', 'shop', chart, ...release, ...output, ...values.flatMap(toOption)],
    purpose: 'helm template does not accept the chart',
    limitMs: runLimitMs,
  })
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  const texts = files
    .filter((name) => name.endsWith('.yaml'))
    .sort()
    .map((name) => readFileSync(join(folder, name), 'utf8'))
  return texts.join('\n---\n')
}

const toOption = (file: string) => ['--values', file]

/**
 * Checks a file of manifests against the schemas of Kubernetes, and returns the lines it says. Throws
 * an AppError with the faults.
 */
export async function validate(validator: string, file: string): Promise<string[]> {
  const check = (version: string) =>
    runTool({
      command: validator,
      args: ['-m', 'kubernetes_validate', '--strict', '--quiet', '-k', version, file],
      purpose: 'These are no manifests of Kubernetes',
      limitMs: runLimitMs,
    })
  const said = await Promise.all(validatedFor.map(check))
  return said.flatMap((text) => text.split('\n'))
}
