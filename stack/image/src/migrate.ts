import { type ConfigSchema, loadConfig, url } from '@halles/kit/config'
import { createDatabase, migrate } from '@halles/kit/database'
import { inboxSchema } from '@halles/kit/inbox'
import { createLogger } from '@halles/kit/logging'
import type { KitSchema } from '@halles/kit/migrations'
import { outboxSchema } from '@halles/kit/outbox'
import { parts } from '../../src/topology.ts'

/** What each service asks of the kit in its app.ts; a test compares them. */
export const kitSchemas: Readonly<Record<string, readonly KitSchema[]>> = {
  auth: [outboxSchema, inboxSchema],
  carts: [inboxSchema],
  customers: [outboxSchema],
  orders: [outboxSchema],
  products: [outboxSchema, inboxSchema],
  rbac: [outboxSchema],
}

/**
 * Brings the databases of these parts up to date, as each part does by itself when it starts: before
 * a rollout, so that what is wrong with a migration is known while the old release still serves.
 * @param folderOf where the migrations of an entry lie.
 * @throws ConfigError, or what the first migration that failed says; those before it stay applied.
 */
export async function migrateParts(
  names: readonly string[],
  folderOf: (entry: string) => string,
  env: NodeJS.ProcessEnv = process.env,
): Promise<void> {
  const chosen = names.map((name) => {
    const part = parts.find((each) => each.name === name && each.database !== undefined)
    if (part === undefined) throw new Error(`${name} is no part with a database.`)
    return part
  })
  const protocols = ['postgres:', 'postgresql:']
  const variableOf = (name: string) =>
    names.length === 1 ? 'DATABASE_URL' : `${name.toUpperCase()}_DATABASE_URL`
  const schema: ConfigSchema = Object.fromEntries(
    names.map((name) => [name, url(variableOf(name), { protocols })]),
  )
  const urls = loadConfig(schema, env) as Readonly<Record<string, string>>
  for (const { name, entry } of chosen) {
    const logger = createLogger({ service: name, instance: 'migrate', level: 'info' })
    const database = createDatabase({
      ...{ url: urls[name] ?? '', logger, applicationName: `migrate ${name}`, poolSize: 1 },
    })
    try {
      const schemas = kitSchemas[name] ?? []
      await migrate(database, { directory: folderOf(entry), schemas })
      logger.info('The database is up to date.')
    } finally {
      await database.close()
    }
  }
}
