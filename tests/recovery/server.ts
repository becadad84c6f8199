import pg from 'pg'
import type { StackUnderTest } from '../e2e/stack-under-test.ts'

/** Looks into a database of a running stack as its owner does, past the service. */
export async function inDatabase<T>(
  stack: StackUnderTest,
  { database, role }: { database: string; role: string },
  work: (client: pg.Client) => Promise<T>,
): Promise<T> {
  const { databases } = stack.readJson('secrets.json') as { databases: Record<string, string> }
  const { port } = stack.readJson('postgres.json') as { port: number }
  const client = new pg.Client({
    connectionString: `postgres://${role}:${databases[role]}@127.0.0.1:${port}/${database}`,
    connectionTimeoutMillis: 10_000,
  })
  await client.connect()
  try {
    return await work(client)
  } finally {
    await client.end()
  }
}
