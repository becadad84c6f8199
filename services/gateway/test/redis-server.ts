import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createConnection } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before } from 'node:test'
import { eventually, freePort, silentLogger } from '@halles/kit/testing'
import { createClient } from '@redis/client'
import { createRedis, type Redis } from '../src/redis.ts'

const isInstalled = spawnSync('redis-server', ['--version']).status === 0

/** The reason to skip tests on a real Redis, or false. */
export const missingRedis = isInstalled ? false : 'redis-server is not installed'

export const redisPassword = 'a-password-for-tests'

// A machine that is busy with other tests must not be taken for a Redis that is away.
const patienceMs = 1_000

/** Starts a Redis for the tests of a file, where it is installed, and returns how to get at it. */
export function useRedisServer(): () => RedisServer {
  let server: RedisServer | undefined
  before(async () => {
    if (!missingRedis) server = await startRedisServer()
  })
  after(() => server?.stop())
  return () => {
    if (!server) throw new Error('There is no Redis before the first test, nor where none can be.')
    return server
  }
}

/** The connection of one gateway, once it stands. */
export async function connectRedis(url: string): Promise<Redis> {
  const redis = createRedis({ url, logger: silentLogger(), limitMs: patienceMs })
  await redis.start()
  await eventually(() => redis.space() !== undefined)
  return redis
}

export type RedisServer = Awaited<ReturnType<typeof startRedisServer>>

/** A Redis of one test file, which may be killed, frozen and started again with what it saved. */
export async function startRedisServer() {
  const folder = mkdtempSync(join(tmpdir(), 'halles-redis-'))
  const port = await freePort()
  const url = `redis://:${redisPassword}@127.0.0.1:${port}`
  let server: ChildProcess | undefined

  async function start(): Promise<void> {
    const settings = ['--bind', '127.0.0.1', '--port', String(port), '--dir', folder]
    const rest = ['--requirepass', redisPassword, '--save', '', '--appendonly', 'no']
    server = spawn('redis-server', [...settings, ...rest], { stdio: 'ignore' })
    await eventually(
      () =>
        new Promise<boolean>((resolve) => {
          const socket = createConnection(port, '127.0.0.1')
          socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
          socket.once('connect', () => socket.destroy())
        }),
    )
  }

  async function kill(): Promise<void> {
    const ended = server && once(server, 'exit')
    server?.kill('SIGKILL')
    server = undefined
    await ended
  }

  await start()
  return {
    url,
    start,
    kill,
    freeze: () => server?.kill('SIGSTOP'),
    thaw: () => server?.kill('SIGCONT'),
    /** Runs commands beside the gateways. */
    async command(...words: string[]): Promise<unknown> {
      const client = createClient({ url })
      client.on('error', (error: Error) => {
        throw error
      })
      await client.connect()
      try {
        return await client.sendCommand(words)
      } finally {
        client.destroy()
      }
    },
    async stop() {
      await kill()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
