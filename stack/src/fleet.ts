import { join } from 'node:path'
import { AppError } from '@halles/kit/errors'
import { bundleOf, root } from './bundle.ts'
import { controlPath } from './control.ts'
import { discoveryUrl, type ListedKind } from './discovery-files.ts'
import type { EmbeddedPostgres } from './embedded-postgres.ts'
import { readJson, writeJson } from './files.ts'
import { choosePorts } from './free-ports.ts'
import type { KeptProcessOptions } from './kept-process.ts'
import type { Logs } from './logs.ts'
import { createNodeProcess } from './node-process.ts'
import { loadSecrets } from './secrets.ts'
import type { Member } from './supervisor.ts'
import {
  databaseRoles,
  environmentOf,
  type Instance,
  type PlannedInstance,
  type Platform,
  partsOf,
  planInstance,
} from './topology.ts'

export type FleetOptions = {
  platform: Platform
  /** Those of the start. */
  planned: readonly PlannedInstance[]
  postgres: EmbeddedPostgres
  /** How many instances PostgreSQL has connections for. */
  maxInstances: number
  logs: Logs
  watch(name: string): KeptProcessOptions['onChange']
}

/** Makes the parts' processes: those of the start, and more of them while the stack runs. */
export type Fleet = {
  /** The instances of the start. */
  instances: readonly Instance[]
  members: readonly Member[]
  /** Parts of which there may be any number, in the order in which they depend on each other. */
  replicable: readonly string[]
  canReplicate(part: string): boolean
  /** Whether callers find it by a list that they follow, so that it can be moved and slowed. */
  isFollowed(part: string): boolean
  /** One more: its name is the first that is not taken; its ports are kept for it. */
  create(part: string, taken: readonly string[]): Promise<Member>
  /** Throws `NO_ROOM` when so many instances would need more connections than there are. */
  checkRoom(instances: number): void
}

export async function createFleet(options: FleetOptions): Promise<Fleet> {
  const { platform, planned, postgres, maxInstances, logs, watch } = options
  const parts = partsOf(platform)
  const instances = await place(platform.dataFolder, planned)
  // The file, not what the start has read: secrets are replaced while the stack runs.
  const current = (): Platform => ({
    ...platform,
    secrets: loadSecrets(platform.dataFolder, databaseRoles),
  })
  const control = controlPath(platform.dataFolder)
  const urlOf = (database: string, role: string) =>
    postgres.url(database, { name: role, password: current().secrets.databases[role] ?? '' })
  const listOf = (part: string, kind: ListedKind) => discoveryUrl(platform.dataFolder, part, kind)

  function toMember(instance: Instance): Member {
    const { part, id, ports } = instance
    const kept = createNodeProcess({
      name: id,
      part: part.name,
      script: bundleOf(part.entry),
      cwd: root,
      env: () => environmentOf(instance, current(), { instances, urlOf, listOf, control }),
      logs,
      onChange: watch(id),
    })
    return { part: part.name, instance: id, ports, stage: part.stage, process: kept }
  }

  // The sandbox stands for somebody else's machine and keeps its data in files.
  const replicable = parts
    .filter(({ name }) => name !== 'stripe-sandbox')
    .sort((a, b) => a.stage - b.stage)
    .map(({ name }) => name)

  const ignore = () => undefined
  // One at a time: two parts that grow at once must not choose the same ports.
  let placing = Promise.resolve<unknown>(undefined)

  return {
    instances,
    members: instances.map(toMember),
    replicable,
    canReplicate: (part) => replicable.includes(part),
    isFollowed: (part) => replicable.includes(part) && part !== 'gateway',
    async create(name, taken) {
      const part = parts.find((each) => each.name === name)
      if (!part) throw new Error(`There is no part ${name}.`)
      const next = Array.from({ length: taken.length + 1 }, (_, index) => planInstance(part, index))
      const free = next.filter(({ id }) => !taken.includes(id)).slice(0, 1)
      const placed = placing.then(() => place(platform.dataFolder, free))
      placing = placed.then(ignore, ignore)
      const [instance] = await placed
      if (!instance) throw new Error(`No name is left for one more ${name}.`)
      return toMember(instance)
    },
    checkRoom(wanted) {
      if (wanted <= maxInstances) return
      const message = `PostgreSQL has connections for ${maxInstances} processes, and this would be ${wanted}. Stop the stack and start it with as many: npm start -- --replicas …`
      throw new AppError('conflict', 'NO_ROOM', message)
    },
  }
}

/** Chooses ports, those of last time where they are free, and remembers them. */
async function place(dataFolder: string, planned: readonly PlannedInstance[]): Promise<Instance[]> {
  const file = join(dataFolder, 'ports.json')
  const previous = (readJson(file) ?? {}) as Record<string, number>
  const names = planned.flatMap(({ portNames }) => portNames)
  const ports = await choosePorts(names, previous)
  writeJson(file, { ...previous, ...ports })
  return planned.map(({ part, id }) => ({
    part,
    id,
    ports: Object.fromEntries(part.listens.map((kind) => [kind, ports[`${id}.${kind}`] ?? 0])),
  }))
}
