import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chownSync, existsSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { AppError } from '@halles/kit/errors'
import { readText } from './files.ts'
import { choosePorts } from './free-ports.ts'
import { createKeptProcess, type KeptProcess, type KeptProcessOptions } from './kept-process.ts'
import {
  createOwnedFolder,
  findBinaries,
  type PostgresUser,
  postgresUser,
} from './postgres-home.ts'
import { commandOf, signalProcess, untilGone } from './processes.ts'

export const superuser = 'halles'

/** The major version whose data this code can open. */
const majorVersion = '18'

export type EmbeddedPostgresOptions = {
  dataDirectory: string
  superuserPassword: string
  maxConnections: number
  /** False: no fsync, for throw-away servers of tests. */
  isDurable: boolean
  /** Removes the data when the server stops, also when we were killed. */
  isTemporary?: boolean
  previousPort?: number | undefined
  /** A descriptor that the server's messages are appended to. */
  logFd: number
  /** The last lines of that log, to explain a failure. */
  logTail(): string[]
  onChange?: KeptProcessOptions['onChange']
}

export type EmbeddedPostgres = KeptProcess & {
  port: number
  /** True when this start created the data. */
  isNew: boolean
  url(database: string, role?: { name: string; password: string }): string
  /** The server's own process, not its guard's. */
  serverPid(): number | undefined
}

/**
 * A real PostgreSQL server from npm's binaries, on 127.0.0.1 only. It is restarted when it dies,
 * and a guard stops it when we do. Throws an AppError that says what to do when it cannot start.
 */
export async function createEmbeddedPostgres(
  options: EmbeddedPostgresOptions,
): Promise<EmbeddedPostgres> {
  const { dataDirectory, superuserPassword, previousPort } = options
  const user = postgresUser(dataDirectory)
  const binaries = await findBinaries(user)
  const isNew = await prepareData(options, binaries, user)
  await stopLivingServer(dataDirectory)
  const previous = previousPort === undefined ? {} : { postgres: previousPort }
  const { postgres: port = 0 } = await choosePorts(['postgres'], previous)

  const kept = createKeptProcess({
    name: 'postgres',
    async launch() {
      // Left over when the guard itself was killed; two servers must not share the data.
      await stopLivingServer(dataDirectory)
      return spawnGuard(options, { binaries, user, port })
    },
    untilReady: (_child, signal) => untilAnswering(dataDirectory, signal),
    askToStop: (child) => child.stdin?.end('stop\n'),
    // Recovery after a crash replays up to max_wal_size.
    readyTimeoutMs: 60_000,
    stopTimeoutMs: (stopSeconds + 5) * 1_000,
    // Short: after a kill -9 only its shared memory has to go away first.
    backoff: { firstMs: 200, maxMs: 5_000, stableMs: 30_000 },
    giveUpAfter: 3,
    onChange: options.onChange ?? (() => undefined),
  })

  return {
    ...kept,
    port,
    isNew,
    url(database, role = { name: superuser, password: superuserPassword }) {
      return `postgres://${role.name}:${role.password}@127.0.0.1:${port}/${database}`
    },
    serverPid: () => readPostmaster(dataDirectory)?.pid,
    async start() {
      try {
        await kept.start()
      } catch (error) {
        throw new AppError(
          'unavailable',
          'POSTGRES_FAILED',
          `PostgreSQL did not start. Its last words:\n  ${options.logTail().slice(-6).join('\n  ')}`,
          { cause: error },
        )
      }
    },
  }
}

// Services drain within this time after the parent died, then lose their connections.
const drainSeconds = 3
// A fast stop ends with a checkpoint; on a slow disk that takes seconds.
const stopSeconds = 15

type Placement = { binaries: string; user: PostgresUser; port: number }

function spawnGuard(options: EmbeddedPostgresOptions, placement: Placement): ChildProcess {
  const { dataDirectory, isTemporary, logFd } = options
  const { binaries, user, port } = placement
  // Passed as text: the user who runs it may not be able to read the file.
  const guard = readFileSync(join(import.meta.dirname, 'postgres-guard.sh'), 'utf8')
  const bounds = [String(isTemporary ? 0 : drainSeconds), String(stopSeconds)]
  const server = [join(binaries, 'bin/postgres'), '-D', dataDirectory]
  const args = Object.entries(settings(options, port)).flatMap(([key, value]) => [
    '-c',
    `${key}=${value}`,
  ])
  const removed = isTemporary ? dataDirectory : ''
  return spawn('/bin/sh', ['-c', guard, 'postgres-guard', ...bounds, removed, ...server, ...args], {
    ...(user ?? {}),
    // A group of its own: Ctrl-C must reach the services first, and in our order.
    detached: true,
    cwd: '/',
    env: { PATH: '/usr/bin:/bin', LC_ALL: 'C' },
    stdio: ['pipe', logFd, logFd],
  })
}

function settings(options: EmbeddedPostgresOptions, port: number): Record<string, string | number> {
  return {
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    port,
    max_connections: options.maxConnections,
    shared_buffers: '128MB',
    effective_cache_size: '512MB',
    max_wal_size: '512MB',
    random_page_cost: 1.1,
    // Short statements on few cores: planning in parallel or compiling costs more than it gains.
    jit: 'off',
    max_parallel_workers_per_gather: 0,
    io_method: 'sync',
    max_wal_senders: 0,
    // At hand for who looks for a slow statement (set it to top); counting costs each statement.
    shared_preload_libraries: 'pg_stat_statements',
    'pg_stat_statements.track': 'none',
    log_min_messages: 'warning',
    log_line_prefix: '%m [%p] ',
    // A refused row is an answer to our service, which tells what it may; its values and statement
    // may be personal and stay out of the log.
    log_error_verbosity: 'terse',
    log_min_error_statement: 'panic',
    log_timezone: 'UTC',
    timezone: 'UTC',
    ...(options.isDurable
      ? { synchronous_commit: 'on' }
      : { fsync: 'off', full_page_writes: 'off', synchronous_commit: 'off', wal_level: 'minimal' }),
  }
}

/** Creates the data when there is none; true when it did. Refuses data that is not ours to open. */
async function prepareData(
  options: EmbeddedPostgresOptions,
  binaries: string,
  user: PostgresUser,
): Promise<boolean> {
  const { dataDirectory } = options
  if (existsSync(dataDirectory) && readdirSync(dataDirectory).length > 0) {
    const version = readText(join(dataDirectory, 'PG_VERSION'))?.trim()
    if (version === majorVersion) return false
    throw new AppError(
      'conflict',
      'DATABASE_UNREADABLE',
      `${dataDirectory} ${version === undefined ? 'holds no complete PostgreSQL database' : `was made by PostgreSQL ${version}, not ${majorVersion}`}. Restore it from a backup, or move it away together with the data folder to start from nothing.`,
    )
  }
  // Made aside and renamed, so that an interrupted first start leaves nothing that looks complete.
  const draft = `${dataDirectory}.new`
  const passwordFile = `${dataDirectory}.${randomBytes(4).toString('hex')}`
  createOwnedFolder(draft, user)
  try {
    await writeFile(passwordFile, options.superuserPassword, { mode: 0o600 })
    if (user) chownSync(passwordFile, user.uid, user.gid)
    await initialize(binaries, user, [
      ...['-D', draft, '-U', superuser, `--pwfile=${passwordFile}`, '--auth=scram-sha-256'],
      ...['--encoding=UTF8', '--locale-provider=builtin', '--builtin-locale=C.UTF-8', '--locale=C'],
      ...['--no-instructions', ...(options.isDurable ? [] : ['--no-sync'])],
    ])
    if (existsSync(dataDirectory)) rmSync(dataDirectory, { recursive: true })
    await rename(draft, dataDirectory)
  } finally {
    rmSync(passwordFile, { force: true })
    rmSync(draft, { recursive: true, force: true })
  }
  return true
}

function initialize(binaries: string, user: PostgresUser, args: string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(join(binaries, 'bin/initdb'), args, {
      ...(user ?? {}),
      cwd: '/',
      env: { PATH: '/usr/bin:/bin', LC_ALL: 'C' },
      stdio: ['ignore', 'ignore', 'pipe'],
      // initdb needs about a second; a disk that hangs must not hang us.
      timeout: 120_000,
    })
    let complaint = ''
    child.stderr.on('data', (chunk: Buffer) => {
      complaint = (complaint + chunk.toString()).slice(-2_000)
    })
    child.once('error', reject)
    child.once('close', (code, signal) => {
      if (code === 0) return resolve()
      const why = /No space left on device/.test(complaint) ? 'The disk is full. ' : ''
      const detail = complaint.trim().split('\n').join('\n  ')
      const message = `${why}The database could not be created (initdb, ${signal ?? `exit code ${code}`}):\n  ${detail}`
      reject(new AppError('unavailable', 'DATABASE_NOT_CREATED', message))
    })
  })
}

/** What the server says of itself in postmaster.pid: its id and whether it takes connections. */
function readPostmaster(dataDirectory: string): { pid: number; isReady: boolean } | undefined {
  const lines = readText(join(dataDirectory, 'postmaster.pid'))?.split('\n')
  const pid = Number(lines?.[0])
  if (!Number.isInteger(pid) || pid <= 0) return undefined
  return { pid, isReady: lines?.[7]?.trim() === 'ready' }
}

/** Stops a server that an earlier start left on this data; a stale postmaster.pid is no obstacle. */
async function stopLivingServer(dataDirectory: string): Promise<void> {
  const found = readPostmaster(dataDirectory)
  if (!found || !isServerOf(found.pid, dataDirectory)) return
  signalProcess(found.pid, 'SIGINT')
  if (await untilGone(found.pid, stopSeconds * 1_000)) return
  signalProcess(found.pid, 'SIGQUIT')
  if (await untilGone(found.pid, 5_000)) return
  throw new AppError(
    'conflict',
    'POSTGRES_STILL_RUNNING',
    `A PostgreSQL server (process ${found.pid}) holds ${dataDirectory} and does not stop. End it, then start again.`,
  )
}

/** The id may have gone to another process since the file was written. */
function isServerOf(pid: number, dataDirectory: string): boolean {
  const command = commandOf(pid)
  return command.includes('postgres') && command.includes(dataDirectory)
}

/** `launch` made sure that no earlier server lives, so a living one is the one just started. */
async function untilAnswering(dataDirectory: string, signal: AbortSignal): Promise<boolean> {
  while (!signal.aborted) {
    const server = readPostmaster(dataDirectory)
    if (server?.isReady && isServerOf(server.pid, dataDirectory)) return true
    await delay(15)
  }
  return false
}
