import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, test } from 'node:test'
import { eventually } from '@halles/kit/testing'
import { type CallersOptions, createCallers } from '../src/callers.ts'
import { discoveryFile } from '../src/discovery-files.ts'
import { writeJson } from '../src/files.ts'
import type { KeptProcess, ProcessState } from '../src/kept-process.ts'
import type { Member } from '../src/supervisor.ts'

type View = { instances: string[]; ready: number; ejected?: number }

const folder = mkdtempSync(join(tmpdir(), 'halles-callers-'))
const servers: Server[] = []
after(() => {
  for (const server of servers) server.close()
  rmSync(folder, { recursive: true })
})

const first = 'http://127.0.0.1:1'
const second = 'http://127.0.0.1:2'

/** A caller that shows its view of auth as metrics do. */
async function openCaller(view: View) {
  let asked = 0
  const server = createServer((_request, reply) => {
    asked += 1
    const { instances, ready, ejected = 0 } = view
    const lines = [
      `upstream_instances{upstream="auth",state="ready",service="gateway"} ${ready}`,
      `upstream_instances{upstream="auth",state="ejected",service="gateway"} ${ejected}`,
      `upstream_instances{upstream="carts",state="ready",service="gateway"} 7`,
      ...instances.map((each) => `upstream_in_flight{upstream="auth",address="${each}"} 0`),
    ]
    reply.end(`# HELP upstream_instances Instances.\n${lines.join('\n')}\n`)
  })
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { port: (server.address() as AddressInfo).port, asked: () => asked }
}

function memberOf(instance: string, state: ProcessState = 'ready'): Member {
  const refuse = () => {
    throw new Error('Nobody may touch it here.')
  }
  const kept: KeptProcess = {
    name: instance,
    ...{ start: refuse, stop: refuse, kill: refuse, freeze: refuse, thaw: refuse },
    status: () => ({ state, pid: 1, restarts: 0 }),
  }
  const part = instance.replace(/-\d+$/, '')
  return { part, instance, ports: {}, stage: 1, process: kept }
}

type Scene = {
  listed?: string[]
  auth?: Member[]
  callers?: { port: number; state?: ProcessState }[]
  edge?: CallersOptions['edge']
  limitMs?: number
}

function open({ listed = [first, second], auth = [], callers = [], edge, limitMs }: Scene) {
  const file = discoveryFile(folder, 'auth', 'http')
  mkdirSync(dirname(file), { recursive: true })
  writeJson(file, listed)
  return createCallers({
    dataFolder: folder,
    supervisor: {
      find: () => auth,
      status: () =>
        callers.map(({ port, state = 'ready' }, index) => ({
          ...{ part: 'gateway', instance: `gateway-${index + 1}`, state, pid: 1 },
          ...{ ports: { metrics: port }, restarts: 0, slowedByMs: 0, startMark: '' },
        })),
    },
    fleet: {
      canReplicate: (part) => part !== 'haproxy',
      isFollowed: (part) => part !== 'gateway' && part !== 'postgres',
    },
    edge,
    ...(limitMs === undefined ? {} : { limitMs }),
  })
}

const both = [memberOf('auth-1'), memberOf('auth-2')]

test('an instance is found when every caller knows it and finds it well', async () => {
  const view: View = { instances: [first], ready: 1 }
  const early = await openCaller({ instances: [first, second], ready: 2 })
  const late = await openCaller(view)
  let isFound = false
  const found = open({ auth: both, callers: [early, late] })
    .untilFound(both)
    .then(() => {
      isFound = true
    })
  await eventually(() => assert.ok(late.asked() >= 2))
  view.instances = [first, second]
  const before = late.asked()
  await eventually(() => assert.ok(late.asked() >= before + 2))
  assert.equal(isFound, false)
  // An instance that a breaker keeps away for a moment is well.
  view.ejected = 1
  await found
  assert.equal(early.asked(), 1)
})

test('instances that do not run are not waited for, and neither are callers that stand still', async () => {
  const caller = await openCaller({ instances: [first, second], ready: 1 })
  const frozen = await openCaller({ instances: [], ready: 0 })
  const auth = [memberOf('auth-1', 'frozen'), memberOf('auth-2')]
  await open({ auth, callers: [caller, { ...frozen, state: 'frozen' }] }).untilFound(auth)
  assert.equal(frozen.asked(), 0)
})

test('whoever does not find an instance in time is named', async () => {
  const caller = await openCaller({ instances: [first], ready: 1 })
  const { untilFound } = open({ auth: both, callers: [caller], limitMs: 0 })
  await assert.rejects(untilFound(both), {
    code: 'CALLERS_BEHIND',
    message: 'gateway-1 has not found auth-1, auth-2 in time.',
  })
})

test('gateways are found when the balancer before them sends to them', async () => {
  const answers = [new Error('HAProxy does not answer.'), ['gateway-2'], []]
  const asked: (readonly string[])[] = []
  const edge = {
    async unused(gateways: readonly string[]) {
      asked.push(gateways)
      const answer = answers.shift() ?? []
      if (answer instanceof Error) throw answer
      return answer
    },
  }
  const gateways = [memberOf('gateway-1'), memberOf('gateway-2')]
  await open({ edge }).untilFound(gateways)
  assert.deepEqual(asked, Array(3).fill(['gateway-1', 'gateway-2']))
  await open({ edge }).untilFound([memberOf('postgres')])
  await open({}).untilFound(gateways)
  assert.equal(asked.length, 4)
})
