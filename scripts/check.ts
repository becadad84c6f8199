import { spawn } from 'node:child_process'
import { resolve } from 'node:path'

const root = resolve(import.meta.dirname, '..')
const bin = (name: string) => resolve(root, 'node_modules/.bin', name)

const checks: { name: string; command: string; args: string[] }[] = [
  { name: 'format and lint', command: bin('biome'), args: ['ci', '--colors=off', '.'] },
  { name: 'types', command: bin('tsc'), args: ['-p', '.', '--pretty', 'false'] },
  {
    name: 'types of the pages',
    command: bin('tsc'),
    args: ['-p', 'apps/web', '--pretty', 'false'],
  },
  {
    name: 'architecture',
    command: process.execPath,
    args: ['--test', '--test-reporter=dot', 'tests/architecture.test.ts'],
  },
  {
    name: 'generated contracts',
    command: process.execPath,
    args: ['contracts/src/generate.ts', '--check'],
  },
  {
    name: 'published contracts',
    command: process.execPath,
    args: ['contracts/src/compatibility.ts'],
  },
]

// Each takes seconds; what takes minutes hangs.
const limitMs = 120_000
// More says the same thing again; the rest is one command away.
const maxLines = 80

type Outcome = { name: string; isFine: boolean; output: string; seconds: number }

function run({ name, command, args }: (typeof checks)[number]): Promise<Outcome> {
  const startedAtMs = performance.now()
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: limitMs,
    })
    let output = ''
    const take = (chunk: Buffer) => {
      output += chunk.toString()
    }
    child.stdout.on('data', take)
    child.stderr.on('data', take)
    const finish = (isFine: boolean) =>
      resolve({ name, isFine, output, seconds: (performance.now() - startedAtMs) / 1_000 })
    child.once('error', (error) => {
      output += error.message
      finish(false)
    })
    child.once('close', (code, signal) => {
      if (signal) output += `\nended by ${signal}`
      finish(code === 0)
    })
  })
}

const outcomes = await Promise.all(
  checks.map(async (check) => {
    const outcome = await run(check)
    const { isFine, name, seconds } = outcome
    console.log(`${isFine ? 'ok    ' : 'FAILED'}  ${name} (${seconds.toFixed(1)} s)`)
    return outcome
  }),
)
const failed = outcomes.filter(({ isFine }) => !isFine)
for (const { name, output } of failed) {
  const lines = output.trim().split('\n')
  const cut = lines.length > maxLines ? `\n… and ${lines.length - maxLines} more lines` : ''
  console.error(`\n${name}:\n${lines.slice(0, maxLines).join('\n')}${cut}`)
}
process.exitCode = failed.length === 0 ? 0 : 1
