import { existsSync, readFileSync, statfsSync, statSync } from 'node:fs'
import { freemem } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { AppError } from '@halles/kit/errors'
import { root } from '../bundle.ts'
import { holderOf } from '../data-folder.ts'
import { errorCode, readJson, readText } from '../files.ts'
import { isPortFree } from '../free-ports.ts'
import { findBinaries, postgresUser } from '../postgres-home.ts'
import { ask, type Finding, fail, ok, type Patient, warn } from './finding.ts'

const neededNode = 24

export function checkNode(): Finding {
  const { version, platform, arch } = process
  const text = `${version} for ${platform}-${arch}`
  if (Number(version.slice(1).split('.')[0]) < neededNode) {
    return fail('Node', text, `Install Node ${neededNode} or newer, or run it by npm.`)
  }
  if (platform === 'linux') return ok('Node', text)
  return warn('Node', text, 'Halles is tried on Linux only; elsewhere it may work.')
}

const toMb = (bytes: number) => Math.floor(bytes / 1024 ** 2)

// Twelve processes of about 70 MB, PostgreSQL, and the bundles that a first start makes.
const memoryMb = { least: 700, good: 1_500 }

export function checkMemory(): Finding {
  const [, kib] = /^MemAvailable:\s+(\d+) kB/m.exec(readText('/proc/meminfo') ?? '') ?? []
  const free = kib === undefined ? toMb(freemem()) : Math.floor(Number(kib) / 1024)
  const text = `${free} MB are to be had`
  if (free < memoryMb.least) {
    return fail('memory', text, `End other programs: Halles needs ${memoryMb.least} MB.`)
  }
  if (free >= memoryMb.good) return ok('memory', text)
  return warn('memory', text, 'It starts, and may be slow; brokers need 1 GB more.')
}

// What a start insists on, and room for the log of a busy database besides.
const diskMb = { least: 300, good: 2_000 }

export function checkDisk({ dataFolder }: Patient): Finding {
  let folder = resolve(dataFolder)
  while (!existsSync(folder)) folder = dirname(folder)
  const { bavail, bsize } = statfsSync(folder)
  const free = toMb(bavail * bsize)
  const text = `${free} MB are free below ${folder}`
  const todo = `Make room, or choose another folder: --data DIR.`
  if (free < diskMb.least) return fail('disk', text, todo)
  return free >= diskMb.good ? ok('disk', text) : warn('disk', text, todo)
}

export function checkFolder({ dataFolder }: Patient): Finding {
  const folder = resolve(dataFolder)
  if (!existsSync(folder)) return ok('data folder', `${folder} is made at the first start`)
  const holder = holderOf(folder)
  if (holder) return ok('data folder', `${folder}: process ${holder.pid} runs on it, ${holder.url}`)
  const { uid } = statSync(folder)
  const own = process.getuid?.()
  if (own === undefined || own === 0 || own === uid) return ok('data folder', folder)
  return fail(
    'data folder',
    `${folder} belongs to user ${uid}`,
    'Start as this user, or --data DIR.',
  )
}

export async function checkPort({ dataFolder, port }: Patient): Promise<Finding> {
  const url = holderOf(resolve(dataFolder))?.url
  if (url !== undefined && URL.parse(url)?.port === String(port)) {
    return ok('port', `${port} is that of the stack that runs`)
  }
  try {
    if (await isPortFree(port, '0.0.0.0')) return ok('port', `${port} is free`)
  } catch (error) {
    const text = `${port} may not be used (${errorCode(error)})`
    return fail('port', text, 'Choose one above 1023: --port N.')
  }
  return fail('port', `${port} is taken by another program`, 'End it, or choose another: --port N.')
}

/** As root, PostgreSQL runs as another user, who must be there. */
export function checkUser({ dataFolder }: Patient): Finding {
  if (process.getuid?.() !== 0) return ok('user', 'not root: PostgreSQL runs as the same user')
  try {
    const user = postgresUser(join(dataFolder, 'postgres'))
    return ok('user', `root: PostgreSQL runs as user ${user?.uid}`)
  } catch (error) {
    if (!(error instanceof AppError)) throw error
    return fail('user', error.message, 'Start Halles as an ordinary user.')
  }
}

export async function checkPostgres({ dataFolder }: Patient): Promise<Finding> {
  try {
    const folder = await findBinaries(postgresUser(join(dataFolder, 'postgres')))
    const said = ask(join(folder, 'bin', 'postgres'), ['--version'])
    if (said !== undefined) return ok('PostgreSQL', said)
    const todo = 'They are built for glibc 2.28 or newer (not Alpine); use another system.'
    return fail('PostgreSQL', `the binaries in ${folder} do not run here`, todo)
  } catch (error) {
    if (!(error instanceof AppError)) throw error
    return fail('PostgreSQL', error.message, 'Run npm ci.')
  }
}

/** What is installed is what the lock file says. */
export function checkPackages(): Finding {
  const stamp = readText(join(root, 'node_modules/.halles-lock'))
  if (stamp === undefined) return fail('packages', 'they are not installed whole', 'Run npm ci.')
  const { info } = readJson(join(root, 'contracts/gen/openapi.json')) as {
    info: { version: string }
  }
  const { channels } = readJson(join(root, 'contracts/gen/asyncapi.json')) as { channels: object }
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    version: string
  }
  const text = `Halles ${version}, API v${info.version}, ${Object.keys(channels).length} channels of messages`
  return ok('contracts', text)
}

/** A clock that is wrong makes tokens, signatures of payments and certificates worthless. */
export function checkClock(now = new Date()): Finding {
  const installedAt = statSync(join(root, 'package-lock.json')).mtime
  const text = now.toISOString()
  if (now.getTime() + 86_400_000 < installedAt.getTime()) {
    return fail('clock', `${text} is before this release was laid here`, 'Set the clock.')
  }
  const said = ask('timedatectl', ['show', '--property=NTPSynchronized', '--value'])
  if (said !== 'no') return ok('clock', text)
  const todo = 'timedatectl set-ntp true: Stripe refuses what is five minutes off.'
  return warn('clock', `${text}, not synchronized`, todo)
}
