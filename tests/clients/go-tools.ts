import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { cacheFolder } from '../../stack/src/brokers/kafka-jars.ts'
import { findProgram } from '../../stack/src/brokers/programs.ts'

const run = promisify(execFile)

const modules = {
  grpcurl: 'github.com/fullstorydev/grpcurl/cmd/grpcurl@v1.9.4',
  'grpc-health-probe': 'github.com/grpc-ecosystem/grpc-health-probe@v0.4.61',
} as const

// Each has to be compiled, with some hundred packages of others: a minute or two, once.
const installLimitMs = 3 * 60_000

export type GoTool = { path: string } | { skip: string }

/**
 * A tool of others, written in Go, from the user's cache. It is compiled once where
 * HALLES_TEST_BROKERS=install allows to install things; otherwise `skip` says what is missing.
 */
export async function findGoTool(name: keyof typeof modules): Promise<GoTool> {
  const version = modules[name].split('@')[1]
  const folder = join(cacheFolder(), 'go', `${name}-${version}`)
  const path = join(folder, name)
  if (existsSync(path)) return { path }
  if (process.env.HALLES_TEST_BROKERS !== 'install') {
    return { skip: `${name} is not installed; HALLES_TEST_BROKERS=install installs it` }
  }
  const go = findProgram('go', ['/usr/local/go/bin'])
  if (!go) return { skip: `${name} is not installed, and there is no Go to install it with` }
  try {
    const env = { ...process.env, GOBIN: folder }
    await run(go, ['install', modules[name]], { env, timeout: installLimitMs })
    return { path }
  } catch (error) {
    // Without a way to Go's proxy there is nothing to be done; the reason is shown.
    return { skip: `${name} cannot be installed: ${String(error).slice(0, 200)}` }
  }
}
