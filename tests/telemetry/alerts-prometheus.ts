import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { eventually, freePort } from '@halles/kit/testing'
import type { StackUnderTest } from '../e2e/stack-under-test.ts'

export type Alert = { state: 'pending' | 'firing'; labels: Record<string, string> }

/** A Prometheus of its own, which looks at the processes of a stack about once a second. */
export type Prometheus = {
  firing(): Promise<Alert[]>
  stop(): Promise<void>
}

// A first look at its own disk, on a busy machine.
const startLimitMs = 60_000

/** @param rules the text of the rules. */
export async function startPrometheus(
  program: string,
  stack: StackUnderTest,
  rules: string,
): Promise<Prometheus> {
  const folder = mkdtempSync(join(tmpdir(), 'halles-prometheus-'))
  const write = (name: string, value: unknown) => {
    const text = typeof value === 'string' ? value : JSON.stringify(value)
    writeFileSync(join(folder, name), text)
  }
  const told = stack.processes().filter(({ ports }) => ports.metrics !== undefined)
  write('rules.yaml', rules)
  write(
    'targets.json',
    told.map(({ part: service, ports }) => {
      return { targets: [`127.0.0.1:${ports.metrics}`], labels: { service } }
    }),
  )
  // JSON is YAML.
  write('prometheus.yaml', {
    global: { scrape_interval: '2s', scrape_timeout: '2s', evaluation_interval: '1s' },
    rule_files: ['rules.yaml'],
    scrape_configs: [{ job_name: 'halles', file_sd_configs: [{ files: ['targets.json'] }] }],
  })
  const url = `http://127.0.0.1:${await freePort()}`
  const child = spawn(
    program,
    [
      `--config.file=${join(folder, 'prometheus.yaml')}`,
      `--storage.tsdb.path=${join(folder, 'data')}`,
      `--web.listen-address=${new URL(url).host}`,
      '--log.level=warn',
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  )
  let said = ''
  child.stderr.on('data', (chunk: Buffer) => {
    said = `${said}${chunk}`.slice(-4_000)
  })
  const ended = once(child, 'exit')

  async function ask<T>(path: string): Promise<T> {
    if (child.exitCode !== null) throw new Error(`Prometheus has ended. It said:\n${said}`)
    const answer = await fetch(`${url}${path}`, { signal: AbortSignal.timeout(10_000) })
    const { data } = (await answer.json()) as { data: T }
    return data
  }

  const prometheus: Prometheus = {
    async firing() {
      const { alerts } = await ask<{ alerts: Alert[] }>('/api/v1/alerts')
      return alerts.filter(({ state }) => state === 'firing')
    },
    async stop() {
      child.kill('SIGTERM')
      await ended
      rmSync(folder, { recursive: true, force: true })
    },
  }
  try {
    await eventually(
      async () => {
        type Targets = { activeTargets: { health: string }[] }
        const { activeTargets } = await ask<Targets>('/api/v1/targets')
        return activeTargets.length > 0 && activeTargets.every(({ health }) => health === 'up')
      },
      { limitMs: startLimitMs, intervalMs: 500 },
    )
  } catch (error) {
    await prometheus.stop()
    throw error
  }
  return prometheus
}
