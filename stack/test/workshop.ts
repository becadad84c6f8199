import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'
import { createLogs } from '../src/logs.ts'
import { createNodeProcess } from '../src/node-process.ts'
import { createSupervisor, type Member } from '../src/supervisor.ts'

export type Fixture = {
  part: string
  mode?: string
  stage?: number
  stopTimeoutMs?: number
  ports?: Record<string, number>
}

/** A folder for the tests of a file, in which fixtures of parts run under supervision. */
export function createWorkshop() {
  const folder = mkdtempSync(join(tmpdir(), 'halles-supervisor-'))
  const errors: string[] = []
  const logs = createLogs({
    folder: join(folder, 'logs'),
    maxBytes: 2_000,
    checkMs: 20,
    onError: (part, message) => errors.push(`${part}: ${message}`),
  })
  const supervisors: { stop(): Promise<void> }[] = []
  after(async () => {
    for (const supervisor of supervisors) await supervisor.stop()
    logs.close()
    rmSync(folder, { recursive: true })
  })

  function supervise(...fixtures: Fixture[]) {
    const reasons: string[] = []
    const known = new Map<string, string[]>()
    const supervisor = createSupervisor({
      dataFolder: folder,
      url: 'http://localhost:0',
      onProblem: (text) => reasons.push(text),
      onKnown: (part, members) =>
        known.set(
          part,
          members.map(({ instance }) => instance),
        ),
    })
    supervisors.push(supervisor)

    function member(fixture: Fixture, index = 1): Member {
      const { part, mode = '', stage = 1, stopTimeoutMs = 5_000, ports = { http: index } } = fixture
      const instance = `${part}-${index}`
      const kept = createNodeProcess({
        name: instance,
        part,
        script: join(import.meta.dirname, 'fixtures/part.ts'),
        cwd: folder,
        env: () => ({
          INSTANCE_ID: instance,
          FIXTURE_MODE: mode,
          FIXTURE_FILE: join(folder, part),
        }),
        logs,
        bounds: { stopTimeoutMs, backoff: { firstMs: 10, maxMs: 40, stableMs: 60_000 } },
        onChange({ reason }) {
          if (reason !== undefined) reasons.push(reason)
          supervisor.record()
        },
      })
      return { part, instance, ports, stage, process: kept }
    }

    for (const fixture of fixtures) supervisor.add(member(fixture))
    const entry = (name: string) =>
      supervisor.status().find(({ part, instance }) => part === name || instance === name)
    return { supervisor, reasons, known, entry, member }
  }

  return { folder, logs, errors, supervise }
}
