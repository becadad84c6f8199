import assert from 'node:assert/strict'
import { join, resolve } from 'node:path'
import { type ConfigSchema, loadConfig } from '@halles/kit/config'
import { parts } from '../src/topology.ts'

const root = resolve(import.meta.dirname, '../..')

export type ReadConfig = { host: string; kafkaBrokers?: readonly string[]; amqpUrl?: string }
type Room = { [name: string]: (environment: Record<string, string>) => ReadConfig } & {
  schema?: ConfigSchema
}

/** Reads a configuration as a part does: by its function, or from its schema. */
export async function readConfigOf(
  name: string,
  environment: Record<string, string>,
): Promise<ReadConfig> {
  const entry = parts.find((part) => part.name === name)?.entry
  assert.ok(entry, `${name} is no part`)
  const { schema, ...rest } = (await import(join(root, entry, '../config.ts'))) as Room
  if (schema !== undefined) return loadConfig(schema, environment) as unknown as ReadConfig
  const read = Object.values(rest).find((each) => typeof each === 'function')
  assert.ok(read, `${name} has nothing to read a configuration with`)
  return read(environment)
}
