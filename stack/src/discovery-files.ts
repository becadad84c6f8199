import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { writeJson } from './files.ts'

/** How a part is spoken to by others; each has its own list. */
export const spokenKinds = ['http', 'grpc'] as const
/** What is listed: the gateways also find each other's metrics. */
export const listedKinds = [...spokenKinds, 'metrics'] as const
export type ListedKind = (typeof listedKinds)[number]

/** `{ http: 8081, grpc: 9091 }`: where one instance is reached. */
export type Reached = Readonly<Record<string, number>>

export type DiscoveryFiles = {
  /** Lists where the part's instances are reached from now on; nothing is written when it is known. */
  publish(part: string, instances: readonly Reached[]): void
}

const folderOf = (dataFolder: string) => join(dataFolder, 'discovery')

/** The file that callers of a part follow: a JSON array of addresses, replaced by renaming. */
export function discoveryFile(dataFolder: string, part: string, kind: ListedKind): string {
  return join(folderOf(dataFolder), `${part}.${kind}.json`)
}

/** The file as an item of a list of addresses, in which commas part the items. */
export function discoveryUrl(dataFolder: string, part: string, kind: ListedKind): string {
  return pathToFileURL(discoveryFile(dataFolder, part, kind)).href.replaceAll(',', '%2C')
}

/** Says where each part is, in files that the parts' callers follow while they run. */
export function createDiscoveryFiles(dataFolder: string): DiscoveryFiles {
  // What an earlier stack wrote is not true any more.
  rmSync(folderOf(dataFolder), { recursive: true, force: true })
  mkdirSync(folderOf(dataFolder), { mode: 0o700 })
  const written = new Map<string, string>()

  return {
    publish(part, instances) {
      for (const kind of listedKinds) {
        const ports = instances.flatMap((each) => each[kind] ?? [])
        const file = discoveryFile(dataFolder, part, kind)
        if (ports.length === 0 && !written.has(file)) continue
        const prefix = kind === 'grpc' ? '' : 'http://'
        const addresses = ports.map((port) => `${prefix}127.0.0.1:${port}`)
        const text = addresses.join()
        if (written.get(file) === text) continue
        writeJson(file, addresses)
        written.set(file, text)
      }
    },
  }
}
