import { runTool } from '../brokers/run-tool.ts'
import { type CachedTool, cachedTool, neededProgram } from './cached-tool.ts'

// Two busy cores take some minutes to compile one with all that it is made of.
const installLimitMs = 15 * 60_000

export type GoToolOptions = {
  name: string
  /** As `go install` takes it, pinned: `helm.sh/helm/v3/cmd/helm@v3.22.0`. */
  module: `${string}@v${string}`
  /** Its folder in the cache; without it, `go/` with the name and the version. */
  folder?: string
  /** For the installation; 15 minutes without it. */
  limitMs?: number
}

/** A tool written in Go, compiled at its first use. Its path is the program's. */
export function goTool({
  name,
  module,
  folder,
  limitMs = installLimitMs,
}: GoToolOptions): CachedTool {
  const [path = '', version] = module.split('@')
  return cachedTool({
    name,
    folder: folder ?? `go/${name}-${version}`,
    // As Go names it: the last part of the path that is not a major version.
    path: path.replace(/\/v\d+$/, '').replace(/^.*\//, ''),
    install: (draft, purpose) =>
      runTool({
        command: neededProgram('go', purpose, ['/usr/local/go/bin']),
        ...{ args: ['install', module], env: { GOBIN: draft, GOFLAGS: '' }, purpose, limitMs },
      }),
  })
}
