import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { routes } from '../src/gen/operations.ts'
import { createClient } from '../src/index.ts'

type Documented = Record<string, Record<string, { operationId: string }>>

test('the client has every operation of the OpenAPI document but the provider’s webhook', async () => {
  const place = join(import.meta.dirname, '../../../contracts/gen/openapi.json')
  const { paths } = JSON.parse(await readFile(place, 'utf8')) as { paths: Documented }
  const shapeOf = (path: string) => path.replaceAll(/\{\w+\}/g, '{}')
  const documented = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { operationId }]) => [
      operationId,
      `${method.toUpperCase()} ${shapeOf(path)}`,
    ]),
  )
  const known = Object.entries(routes).map(([name, { method, path }]) => [
    name,
    `${method} ${shapeOf(path)}`,
  ])
  const { receiveStripeWebhook, ...expected } = Object.fromEntries(documented)
  assert.equal(receiveStripeWebhook, 'POST /api/v1/webhooks/stripe')
  assert.deepEqual(Object.fromEntries(known), expected)
  const methods = createClient({ baseUrl: 'http://localhost' })
  assert.deepEqual(Object.keys(methods).sort(), [...Object.keys(expected), 'useToken'].sort())
})
