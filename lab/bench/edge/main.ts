import { writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { cpuPerRequest, readCpu } from '../cpu.ts'
import { machine } from '../report.ts'
import { breakEdge, type FaultReport } from './faults.ts'
import { loadRaw } from './raw-load.ts'
import {
  type EdgeReport,
  type EdgeResult,
  judge,
  medianOf,
  toEdgeText,
  toFaultText,
} from './report.ts'
import { stopAfter } from './servers.ts'
import { openWays, type Way, type WayName, wayNames } from './ways.ts'

const help = `Measures what the gateway costs beside other ways to the same two kilobytes, and then what
people notice when one of two gateways is killed and when everything is restarted.

  npm run bench -- edge [options]

  --seconds N   how long each way is measured in a round (4)
  --rounds N    rounds through all ways, so that noise meets each alike (5); shorter and more on a busy machine
  --only A,B    ways: ${wayNames.join(', ')}; without the faults
  --faults      the faults alone
  --json FILE   write the figures as JSON too
  --help        this text

Exit code 1 when an aim is missed or a request failed. haproxy and nginx are measured where they are
installed.
`

const say = (text: string) => void process.stdout.write(`${text}\n`)
// As many as keep one process busy; more only wait.
const connections = 32
const warmUpSeconds = 4

function parseArguments(args: readonly string[]) {
  const { values } = parseArgs({
    args: [...args],
    options: {
      seconds: { type: 'string', default: '4' },
      rounds: { type: 'string', default: '5' },
      only: { type: 'string' },
      faults: { type: 'boolean', default: false },
      json: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  })
  for (const name of ['seconds', 'rounds'] as const) {
    if (!/^[1-9]\d?$/.test(values[name])) throw new Error(`--${name} is a number from 1 to 99.`)
  }
  const only = values.only?.split(',') ?? wayNames
  const unknown = only.find((name) => !wayNames.includes(name as WayName))
  if (unknown !== undefined) throw new Error(`--only knows ${wayNames.join(', ')}.`)
  return {
    seconds: Number(values.seconds),
    rounds: Number(values.rounds),
    only: only as readonly WayName[],
    hasWays: !values.faults,
    hasFaults: values.faults || values.only === undefined,
    json: values.json,
    isHelp: values.help,
  }
}

async function measure(way: Way, seconds: number): Promise<EdgeResult> {
  const { name, title, port, path, headers, pid } = way
  const tested = [{ part: 'tested', pid, ports: {} }]
  const before = await readCpu(tested)
  const measured = await loadRaw({ port, path, headers, connections, seconds })
  const cpu = cpuPerRequest(before, await readCpu(tested), measured.requests)
  const cpuMicros = (cpu.tested ?? Number.NaN) * 1_000
  const best = { perSecond: measured.perSecond, cpuMicros }
  return { ...measured, name, title, cpuMicros, best }
}

async function measureAll(options: ReturnType<typeof parseArguments>): Promise<EdgeReport> {
  const { seconds, rounds, only } = options
  say('Starting a stack, and what it is compared with …')
  const { ways, missing, stop } = await openWays(only)
  return stopAfter(stop, async () => {
    say('Warming up …')
    for (const way of ways) await measure(way, warmUpSeconds)
    const results: EdgeResult[][] = ways.map(() => [])
    for (let round = 1; round <= rounds; round += 1) {
      say(`Round ${round} of ${rounds} …`)
      for (const [index, way] of ways.entries()) {
        results[index]?.push(await measure(way, seconds))
      }
    }
    const at = new Date().toISOString()
    return { at, machine: machine(), seconds, rounds, missing, results: results.map(medianOf) }
  })
}

/** Returns the exit code. */
export async function benchEdge(args: readonly string[]): Promise<number> {
  const options = parseArguments(args)
  if (options.isHelp) {
    say(help)
    return 0
  }
  const ways = options.hasWays ? await measureAll(options) : undefined
  if (ways) say(`\n${toEdgeText(ways)}\n`)
  const faults = options.hasFaults ? await breakEdge(say) : undefined
  if (faults) say(`\n${toFaultText(faults)}`)
  if (options.json !== undefined) {
    writeFileSync(options.json, `${JSON.stringify({ ...ways, faults }, null, 2)}\n`)
  }
  return isWell(ways, faults) ? 0 : 1
}

function isWell(ways: EdgeReport | undefined, faults: FaultReport | undefined): boolean {
  const failed = [...(ways?.results ?? []).map(({ failures }) => failures)]
  failed.push(...(faults?.results ?? []).map(({ failures }) => failures.length))
  const isMet = ways === undefined || judge(ways).every((judgement) => judgement.isMet)
  return isMet && failed.every((count) => count === 0)
}
