import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { judge, type Verdict } from './judge.ts'
import { type Run, tokenVariable, toSettings } from './plan.ts'

/** What Schemathesis is run with: the Python that has it, the shop, and a folder for its files. */
export type Bench = { python: string; url: string; document: string; folder: string }

// Four thousand calls take three minutes on two busy cores.
const runLimitMs = 20 * 60_000
const keptOutput = 4_000

/** Runs Schemathesis once. Throws when it does not come to its end. */
export async function runApi(run: Run, { python, url, document, folder }: Bench): Promise<Verdict> {
  const settings = join(folder, `${run.name}.toml`)
  const events = join(folder, `${run.name}.ndjson`)
  writeFileSync(settings, toSettings(run))
  const token = await run.caller.token()
  const child = spawn(
    python,
    [
      ...['-m', 'schemathesis.cli', '--config-file', settings, '--no-color'],
      ...['run', document, '--url', url, '--checks', 'all', '--warnings', 'off'],
      ...['--report-ndjson-path', events],
    ],
    {
      cwd: folder,
      env: { ...process.env, ...(token === undefined ? {} : { [tokenVariable]: token }) },
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: runLimitMs,
    },
  )
  let said = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      said = (said + chunk.toString()).slice(-keptOutput)
    })
  }
  const [code, signal] = await once(child, 'close')
  // 0: nothing found; 1: something found, which is judged here. A run that broke off says "errored".
  if ((code !== 0 && code !== 1) || / errored|ERRORS ==/.test(said)) {
    throw new Error(`Schemathesis broke off as ${run.name} (${code ?? signal}):\n${said}`)
  }
  return judge(events)
}
