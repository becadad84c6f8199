import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { AppError } from '@halles/kit/errors'
import { cacheFolder } from '../brokers/kafka-jars.ts'
import { findProgram } from '../brokers/programs.ts'
import { runTool } from '../brokers/run-tool.ts'

const helmVersion = '3.22.0'
const validatorVersion = '1.36.0'

// Two cores take some minutes to compile it.
const installLimitMs = 15 * 60_000
// Each runs for seconds where little else does.
const runLimitMs = 300_000

/** The release of Kubernetes that charts are rendered for; helm built from source assumes 1.20. */
const renderedFor = '1.36.0'
/** The oldest that the chart names, and the newest whose schemas the validator has. */
const validatedFor = ['1.30', '1.36']

const helmFolder = () => join(cacheFolder(), `helm-${helmVersion}`)
const validatorFolder = () => join(cacheFolder(), `kubernetes-validate-${validatorVersion}`)

/** The tools where they are installed already: tests do not compile for minutes. */
export function installedTools(): { helm: string; validator: string } | undefined {
  const tools = { helm: join(helmFolder(), 'helm'), validator: validatorFolder() }
  return Object.values(tools).every((path) => existsSync(path)) ? tools : undefined
}

/** Makes a folder of the user's cache, whole or not at all. */
async function install(folder: string, make: (draft: string) => Promise<unknown>): Promise<string> {
  if (existsSync(folder)) return folder
  const draft = `${folder}.${randomBytes(4).toString('hex')}`
  mkdirSync(draft, { recursive: true })
  try {
    await make(draft)
    if (!existsSync(folder)) renameSync(draft, folder)
    return folder
  } finally {
    rmSync(draft, { recursive: true, force: true })
  }
}

function findNeeded(name: string, purpose: string): string {
  const path = findProgram(name)
  if (path !== undefined) return path
  throw new AppError('unavailable', 'TOOL_MISSING', `${purpose}: ${name} is not installed`)
}

/** The path of helm, compiled at its first use. Throws an AppError where Go or its proxy is away. */
export async function findHelm(): Promise<string> {
  const purpose = 'helm could not be installed'
  const folder = await install(helmFolder(), (draft) =>
    runTool({
      command: findNeeded('go', purpose),
      args: ['install', `helm.sh/helm/v3/cmd/helm@v${helmVersion}`],
      purpose,
      limitMs: installLimitMs,
      env: { GOBIN: draft, GOFLAGS: '' },
    }),
  )
  return join(folder, 'helm')
}

/** The folder of kubernetes-validate and the schemas it brings along. Throws as {@link findHelm}. */
export async function findValidator(): Promise<string> {
  const purpose = 'kubernetes-validate could not be installed'
  const limitMs = installLimitMs
  return install(validatorFolder(), async (draft) => {
    // Not a virtual environment: that would remember the name of the draft.
    const options = ['--quiet', '--disable-pip-version-check', '--no-input', '--target', draft]
    const args = ['-m', 'pip', 'install', ...options, `kubernetes-validate==${validatorVersion}`]
    await runTool({ command: findNeeded('python3', purpose), args, purpose, limitMs })
  })
}

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
      command: 'python3',
      args: ['-m', 'kubernetes_validate', '--strict', '--quiet', '-k', version, file],
      purpose: 'These are no manifests of Kubernetes',
      limitMs: runLimitMs,
      env: { PYTHONPATH: validator },
    })
  const said = await Promise.all(validatedFor.map(check))
  return said.flatMap((text) => text.split('\n'))
}
