import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { eventually } from '@halles/kit/testing'
import { choosePorts } from '../../stack/src/free-ports.ts'
import { createDatabases } from '../../stack/src/postgres-databases.ts'
import { loadSecrets } from '../../stack/src/secrets.ts'
import { startTestBrokers } from '../../stack/src/test-brokers.ts'
import { startTestPostgres } from '../../stack/src/test-postgres.ts'
import {
  databasePlans,
  databaseRoles,
  defaultReplicas,
  environmentOf,
  type Instance,
  type Platform,
  planInstances,
} from '../../stack/src/topology.ts'
import { runProgram, runtimeOptions } from './tools.ts'

/** The whole platform, each process in a container of the image. */
export type ImagePlatform = {
  url: string
  instances: readonly Instance[]
  admin: { email: string; password: string }
  /** What runs beside the image. */
  servers: string
  /** Runs the health check of the image in the container of an instance. */
  isWell(instance: string, check: 'health' | 'ready'): Promise<boolean>
  /** Stops every container and returns how each ended. */
  end(): Promise<Record<string, number>>
  stop(): Promise<void>
}

const isSecret = (name: string) =>
  /_SECRET$|_KEY$|_KEYS$|_PASSWORD$|^(DATABASE|AMQP|REDIS|MESSAGES)_URL$|_DATABASE_URL$/.test(name)

// As in deploy/compose.
const confined = [
  ...['--network', 'host', '--read-only', '--read-only-tmpfs=false'],
  ...['--cap-drop', 'all', '--security-opt', 'no-new-privileges'],
  ...['--memory', '512m', '--pids-limit', '200'],
]
// Twelve containers on two cores.
const readyLimitMs = 240_000
// A service's own drain ends after 10 s.
const stopSeconds = 30

type Undo = (() => unknown)[]

/** Starts PostgreSQL, the brokers that are installed, and every part from the image. */
export async function startFromImage(image: string): Promise<ImagePlatform> {
  const undo: Undo = []
  const stop = async () => {
    for (const step of undo.splice(0).reverse()) await step()
  }
  try {
    return await start(image, undo, stop)
  } catch (error) {
    await stop()
    throw error
  }
}

async function start(
  image: string,
  undo: Undo,
  stop: ImagePlatform['stop'],
): Promise<ImagePlatform> {
  const folder = mkdtempSync(join(tmpdir(), 'halles-image-'))
  undo.push(() => rmSync(folder, { recursive: true, force: true }))
  const { platform, instances, environments } = await describe(folder, undo)
  const name = `halles-check-${randomUUID().slice(0, 8)}`
  const containerOf = (id: string) => `${name}-${id}`
  undo.push(() =>
    runProgram('podman', ['rm', '--force', '--volumes', '--time', '0', '--ignore', ...names]),
  )
  const names = [...instances.map(({ id }) => containerOf(id)), containerOf('migrate')]
  const { global, limits } = runtimeOptions()
  const run = (id: string, environment: Record<string, string>, more: readonly string[]) =>
    runProgram('podman', [
      ...[...global, 'run', '--name', containerOf(id), '--no-healthcheck', ...limits, ...confined],
      ...settingsOf(join(folder, id), environment),
      ...more,
    ])

  const owners = instances.filter(({ part, id }) => part.database && id === `${part.name}-1`)
  const urls = owners.map(({ part, id }) => [
    `${part.name.toUpperCase()}_DATABASE_URL`,
    environments[id]?.DATABASE_URL ?? '',
  ])
  const parts = owners.map(({ part }) => part.name)
  await run('migrate', Object.fromEntries(urls), [image, 'migrate', ...parts])
  for (const { part, id } of instances) {
    const data = part.name === 'stripe-sandbox' ? ['--volume', '/data'] : []
    // A part that does not reach its servers in time ends, to be started again.
    const again = ['--detach', '--restart', 'on-failure:5']
    await run(id, environments[id] ?? {}, [...again, ...data, image, part.name])
  }
  const isWell = async (id: string, check: 'health' | 'ready') => {
    const main = '/halles/dist/stack/image/src/main.js'
    const program = ['/usr/local/bin/node', main, check]
    // 1 is the answer that it is not well.
    const exec = [...global, 'exec', containerOf(id), ...program]
    return runProgram('podman', exec).then(
      () => true,
      () => false,
    )
  }
  await untilReady(instances, containerOf)
  const { email, password } = platform.secrets.admin
  return {
    ...{ url: platform.publicUrl, instances, admin: { email, password }, isWell, stop },
    servers: Object.keys(platform.messaging?.addresses ?? {}).join(', ') || 'PostgreSQL alone',
    async end() {
      const all = instances.map(({ id }) => containerOf(id)).reverse()
      await runProgram('podman', [...global, 'stop', '--time', String(stopSeconds), ...all], {
        limitMs: stopSeconds * 1_000 * all.length,
      })
      const codes = await runProgram('podman', ['wait', ...all])
      return Object.fromEntries(
        codes
          .trim()
          .split('\n')
          .map((code, at) => [all[at], Number(code)]),
      )
    },
  }
}

/** Settings by environment, and secrets by files, which is how they are deployed. */
function settingsOf(folder: string, environment: Record<string, string>): string[] {
  mkdirSync(folder)
  const settings = Object.entries(environment).flatMap(([name, value]) => {
    if (!isSecret(name)) return ['--env', `${name}=${value}`]
    writeFileSync(join(folder, name), `${value}\n`)
    // Of the container's user, whom the folder around keeps from nothing.
    chmodSync(join(folder, name), 0o444)
    return ['--env', `${name}_FILE=/run/secrets/${name}`]
  })
  return [...settings, '--volume', `${folder}:/run/secrets:ro`]
}

async function describe(folder: string, undo: Undo) {
  const postgres = await startTestPostgres()
  undo.push(postgres.stop)
  const env: Record<string, string | undefined> = { ...process.env }
  undo.push((await startTestBrokers(env, ['brokers'])).stop)
  const addresses = {
    ...(env.HALLES_TEST_AMQP_URL ? { amqpUrl: env.HALLES_TEST_AMQP_URL } : {}),
    ...(env.HALLES_TEST_KAFKA_BROKERS ? { kafkaBrokers: env.HALLES_TEST_KAFKA_BROKERS } : {}),
    ...(env.HALLES_TEST_REDIS_URL ? { redisUrl: env.HALLES_TEST_REDIS_URL } : {}),
  }
  const secrets = loadSecrets(folder, databaseRoles)
  const plans = databasePlans(secrets, {
    queues: addresses.amqpUrl ? 'rabbitmq' : 'embedded',
    topics: addresses.kafkaBrokers ? 'kafka' : 'embedded',
  })
  const urlOf = (database: string, role?: string) => {
    const url = new URL(postgres.url)
    url.pathname = `/${database}`
    if (role !== undefined) {
      url.username = role
      url.password = secrets.databases[role] ?? ''
    }
    return url.href
  }
  await createDatabases(urlOf, plans)
  const { edge: port = 0 } = await choosePorts(['edge'], {})
  const platform: Platform = {
    ...{ dataFolder: '/', port, host: '127.0.0.1', publicUrl: `http://localhost:${port}` },
    ...{ logLevel: 'info', currency: 'EUR', hasDemoCatalogue: true, stripe: undefined },
    ...{ secrets, messaging: { addresses, kafkaAccess: {} }, overrides: {} },
  }
  const planned = planInstances(platform, defaultReplicas)
  const ports = await choosePorts(
    planned.flatMap(({ portNames }) => portNames),
    { edge: port },
  )
  const instances: Instance[] = planned.map(({ part, id }) => ({
    ...{ part, id },
    ports: Object.fromEntries(part.listens.map((kind) => [kind, ports[`${id}.${kind}`] ?? 0])),
  }))
  const environments: Record<string, Record<string, string>> = Object.fromEntries(
    instances.map((instance) => [
      instance.id,
      { ...environmentOf(instance, platform, { instances, urlOf }), DATA_DIR: '/data' },
    ]),
  )
  return { platform, instances, environments }
}

async function untilReady(
  instances: readonly Instance[],
  containerOf: (id: string) => string,
): Promise<void> {
  await eventually(
    async () => {
      for (const { id } of instances) {
        const format = '{{.State.Status}}'
        const state = await runProgram('podman', ['inspect', '--format', format, containerOf(id)])
        if (state.trim() !== 'running') {
          const words = await runProgram('podman', ['logs', '--tail', '5', containerOf(id)])
          throw new Error(`${id} is ${state.trim()}: ${words}`)
        }
      }
      for (const { id, part, ports } of instances) {
        if (ports.http === undefined) continue
        const path = part.name === 'stripe-sandbox' ? 'healthz' : 'readyz'
        const signal = AbortSignal.timeout(2_000)
        const answer = await fetch(`http://127.0.0.1:${ports.http}/${path}`, { signal })
        await answer.body?.cancel()
        assert.equal(answer.status, 200, id)
      }
    },
    { limitMs: readyLimitMs, intervalMs: 500 },
  )
}
