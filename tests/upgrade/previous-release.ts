import { execFile } from 'node:child_process'
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)
const root = resolve(import.meta.dirname, '../..')

// What the tables of a service come from.
const schemaPaths = [
  ':(glob)services/*/migrations/**',
  'packages/kit/src/outbox.ts',
  'packages/kit/src/inbox.ts',
  'packages/kit/src/messaging/postgres/schema.ts',
]

async function git(...args: string[]): Promise<string> {
  const { stdout } = await run('git', args, { cwd: root })
  return stdout.trim()
}

/**
 * The newest commit whose schema is older than this tree's: the code that still serves while this
 * one is rolled out. `named` is another one. @throws Error where history is missing.
 */
export async function findPrevious(named?: string): Promise<string> {
  if (named) return git('rev-parse', '--verify', `${named}^{commit}`)
  const changed = await git('status', '--porcelain', '--', ...schemaPaths)
  if (changed !== '') return git('rev-parse', 'HEAD')
  const newest = await git('log', '--first-parent', '-1', '--format=%H', '--', ...schemaPaths)
  return git('rev-parse', '--verify', `${newest}^1`)
}

export type PreviousRelease = { folder: string; remove(): void }

/**
 * The code of a commit in a folder of its own. Its `migrate` is preceded by this tree's, so that
 * whatever database it opens has the schema of this tree before it starts.
 */
export async function unpackRelease(commit: string): Promise<PreviousRelease> {
  const folder = mkdtempSync(join(tmpdir(), 'halles-previous-'))
  const archive = join(folder, 'tree.tar')
  await git('archive', '--format=tar', `--output=${archive}`, commit)
  await run('tar', ['-xf', archive, '-C', folder])
  rmSync(archive)
  linkModules(folder)
  putNewSchemaFirst(folder)
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) }
}

/** Every package as it is installed here, but for the workspaces, which are those of the folder. */
function linkModules(folder: string): void {
  const installed = join(root, 'node_modules')
  const linked = join(folder, 'node_modules')
  mkdirSync(join(linked, '@halles'), { recursive: true })
  for (const name of readdirSync(installed)) {
    if (name !== '@halles') symlinkSync(join(installed, name), join(linked, name))
  }
  for (const name of readdirSync(join(installed, '@halles'))) {
    // Relative, so that it points into whichever tree it lies in.
    const target = readlinkSync(join(installed, '@halles', name))
    symlinkSync(target, join(linked, '@halles', name))
  }
}

function putNewSchemaFirst(folder: string): void {
  const source = (path: string) => JSON.stringify(join(root, 'packages/kit/src', path))
  const kit = join(folder, 'packages/kit/src')
  renameSync(join(kit, 'migrations.ts'), join(kit, 'migrations-own.ts'))
  writeFileSync(
    join(kit, 'migrations.ts'),
    `import { inboxSchema } from ${source('inbox.ts')}
import { brokerSchema } from ${source('messaging/postgres/schema.ts')}
import { migrate as migrateToNew } from ${source('migrations.ts')}
import { outboxSchema } from ${source('outbox.ts')}
import { migrate as migrateOwn } from './migrations-own.ts'

export * from './migrations-own.ts'

const newSchemas = [brokerSchema, inboxSchema, outboxSchema]

export async function migrate(database, options) {
  const [, service] = /services.(\\w+).migrations.?$/.exec(options.directory ?? '') ?? []
  const names = (options.schemas ?? []).map(({ name }) => name)
  await migrateToNew(database, {
    schemas: newSchemas.filter(({ name }) => names.includes(name)),
    ...(service && { directory: ${JSON.stringify(join(root, 'services'))} + '/' + service + '/migrations' }),
  })
  await migrateOwn(database, options)
}
`,
  )
}
