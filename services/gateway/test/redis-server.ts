import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createConnection } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { eventually, freePort } from '@halles/kit/testing'
import { createClient } from '@redis/client'

const isInstalled = spawnSync('redis-server', ['--version']).status === 0

/** The reason to skip tests on a real Redis, or false. */
export const missingRedis = isInstalled ? false : 'redis-server is not installed'

export const redisPassword = 'a-password-for-tests'

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
