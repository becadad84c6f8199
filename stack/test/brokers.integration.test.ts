import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { eventually } from '@halles/kit/testing'
import { checkAnswers } from '../src/brokers/given.ts'
import { findPrograms } from '../src/brokers/programs.ts'
import { type Brokers, type BrokersOptions, openBrokers, readAddresses } from '../src/brokers.ts'
import { createLogs } from '../src/logs.ts'
import { commandOf, isAlive, signalProcess } from '../src/processes.ts'

const names = ['rabbitmq', 'kafka', 'redis'] as const
const { rabbitmqServer, redisServer, java, kafkaJars } = findPrograms()
const isInstalled = [rabbitmqServer, redisServer, java, kafkaJars].every((each) => each)
const skip = isInstalled ? false : 'RabbitMQ, Kafka, Java 17 or Redis is not installed'

const folder = mkdtempSync(join(tmpdir(), 'halles-brokers-'))
const logs = createLogs({
  folder: join(folder, 'logs'),
  maxBytes: 1_000_000,
  checkMs: 1_000,
  onError: () => undefined,
})
let brokers: Brokers | undefined
after(async () => {
  await brokers?.stop()
  logs.close()
  rmSync(folder, { recursive: true })
})

// A JVM and an Erlang system on two busy cores.
const limitMs = 60_000

const quiet = () => undefined
const options: BrokersOptions = {
  dataFolder: folder,
  names,
  given: {},
  env: {},
  isTemporary: false,
  logs,
  report: { done: quiet, note: quiet, problem: quiet },
  onChange: () => quiet,
}

async function open(others: Partial<BrokersOptions> = {}): Promise<Brokers> {
  brokers = await openBrokers({ ...options, ...others })
  return brokers
}

function serverPids({ kept }: Brokers): number[] {
  return names.map((name) => {
    const pid = kept.get(name)?.serverPid()
    assert.ok(pid !== undefined, `${name} does not run`)
    return pid
  })
}

/** Every process whose command line or ports tell that it belongs to the folder's brokers. */
function processesOf(dataFolder: string): string[] {
  const { epmd } = JSON.parse(readFileSync(join(dataFolder, 'brokers/ports.json'), 'utf8'))
  const lines = execFileSync('ps', ['-eo', 'pid=,args='], { encoding: 'utf8' }).split('\n')
  const marks = [`${dataFolder}/brokers/`, `epmd -address 127.0.0.1 -port ${epmd}`]
  return lines.filter((line) => marks.some((mark) => line.includes(mark)))
}

const rabbitmqctl = (...args: string[]) =>
  execFileSync(join(folder, 'brokers/rabbitmq/rabbitmqctl'), [...args, '--quiet'], {
    encoding: 'utf8',
    timeout: limitMs,
  })

describe('Local brokers', { skip }, () => {
  test('start, answer to their passwords alone, and write the addresses for their owner', async () => {
    const { addresses } = await open()
    assert.deepEqual(readAddresses(folder), addresses)
    assert.equal(statSync(join(folder, 'brokers.json')).mode & 0o777, 0o600)
    await checkAnswers(addresses, {})
    const redisUrl = addresses.redisUrl?.replace(/:[^:@]+@/, ':wrong@') ?? ''
    await assert.rejects(checkAnswers({ redisUrl }, {}, 1_000), {
      code: 'BROKER_NOT_ANSWERING',
      message: /Redis does not answer.*REDIS_URL/,
    })
    assert.match(rabbitmqctl('list_users'), /halles\s+\[administrator\]/)
  })

  test('listen on loopback only', { skip: process.platform !== 'linux' && 'no ss' }, () => {
    assert.ok(brokers)
    const pids = serverPids(brokers)
    const listening = execFileSync('ss', ['-Hltnp'], { encoding: 'utf8' })
      .split('\n')
      .filter((line) => pids.some((pid) => line.includes(`pid=${pid},`)))
    assert.ok(listening.length >= pids.length)
    for (const line of listening) assert.match(line, / (127\.0\.0\.1|\[::ffff:127\.0\.0\.1\]):\d+ /)
  })

  test('are opened once per data folder', async () => {
    await assert.rejects(openBrokers(options), { code: 'BROKERS_RUNNING' })
  })

  test('come back at the same addresses after kill -9', async () => {
    assert.ok(brokers)
    const before = serverPids(brokers)
    for (const pid of before) signalProcess(pid, 'SIGKILL')
    const { addresses, kept } = brokers
    const current = brokers
    await eventually(
      () => {
        assert.ok(names.every((name) => kept.get(name)?.status().state === 'ready'))
        const now = serverPids(current)
        assert.ok(now.every((pid) => !before.includes(pid)))
      },
      { limitMs },
    )
    await checkAnswers(addresses, {})
  })

  test('a broker whose guard was killed is stopped before another one opens its data', async () => {
    const redis = brokers?.kept.get('redis')
    const before = redis?.serverPid()
    const guard = redis?.status().pid
    assert.ok(before && guard)
    signalProcess(guard, 'SIGKILL')
    await eventually(() => !isAlive(before) && redis?.status().state === 'ready', { limitMs })
    await checkAnswers({ redisUrl: brokers?.addresses.redisUrl ?? '' }, {})
  })

  test('a stop leaves no process, and the next start finds data and addresses again', async () => {
    const first = brokers?.addresses
    rabbitmqctl('add_vhost', 'kept')
    assert.ok(brokers)
    const pids = serverPids(brokers)
    await brokers.stop()
    for (const pid of pids) assert.equal(isAlive(pid), false)
    // Of the guard that was killed above something waits for a moment.
    await eventually(() => processesOf(folder).length === 0)
    const { addresses } = await open()
    assert.deepEqual(addresses, first)
    assert.match(rabbitmqctl('list_vhosts'), /^kept$/m)
    await brokers.stop()
    assert.deepEqual(processesOf(folder), [])
  })

  test('after kill -9 of who started them nothing is left running', async () => {
    const script = join(import.meta.dirname, 'fixtures/brokers-parent.ts')
    const parent = spawn(process.execPath, [script, folder], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const [line] = await once(parent.stdout, 'data')
    const pids = JSON.parse(line) as number[]
    assert.equal(pids.length, 4)
    for (const pid of pids) assert.notEqual(commandOf(pid), '')
    parent.kill('SIGKILL')
    await eventually(() => processesOf(folder).length === 0, { limitMs })
    for (const pid of pids) assert.equal(isAlive(pid), false)
  })

  test('throw-away brokers leave nothing behind', async () => {
    const home = mkdtempSync(join(folder, 'temporary-'))
    const { stop, addresses } = await open({
      isTemporary: true,
      dataFolder: home,
      names: ['kafka', 'redis'],
    })
    await checkAnswers(addresses, {})
    await stop()
    assert.deepEqual(processesOf(home), [])
    for (const name of ['kafka', 'redis']) {
      assert.throws(() => statSync(join(home, 'brokers', name)), { code: 'ENOENT' })
    }
  })
})
