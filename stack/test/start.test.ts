import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { freePort } from '@halles/kit/testing'
import { lockDataFolder } from '../src/data-folder.ts'
import { readJson } from '../src/files.ts'
import { loadSecrets } from '../src/secrets.ts'

const folder = mkdtempSync(join(tmpdir(), 'halles-start-'))
after(() => rmSync(folder, { recursive: true }))

async function start(...args: string[]): Promise<{ code: number; text: string }> {
  const script = join(import.meta.dirname, '../src/start.ts')
  const child = spawn(process.execPath, [script, '--data', folder, ...args], { timeout: 30_000 })
  let text = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      text += chunk.toString()
    })
  }
  const [code] = await once(child, 'close')
  return { code, text }
}

test('a port in use is named, with the way to choose another', async () => {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const { code, text } = await start('--port', String(port))
  server.close()
  assert.equal(code, 1)
  assert.match(text, new RegExp(`Port ${port} is in use.*--port ${port + 1}`))
})

test('a start while another one runs on the folder is refused, a dead one is no obstacle', async () => {
  const lock = lockDataFolder(folder, 'http://localhost:8080')
  const { code, text } = await start('--port', String(await freePort()))
  assert.equal(code, 1)
  assert.match(text, new RegExp(`already runs.*process ${process.pid}, http://localhost:8080`))
  lock.release()
  writeFileSync(join(folder, 'lock.json'), '{"pid":1,"startMark":"another boot","url":""}')
  lockDataFolder(folder, 'http://localhost:8080').release()
})

test('a data folder that is a file, and words that mean nothing, are refused', async () => {
  const file = join(folder, 'file')
  writeFileSync(file, '')
  const notFolder = await start('--data', file)
  assert.equal(notFolder.code, 1)
  assert.match(notFolder.text, /is not a folder.*--data DIR/)
  for (const args of [
    ['--replicas', 'gateways=2'],
    ['--replicas', 'auth=0'],
    ['--port', 'x'],
    ['--prot', '1'],
    ['--edge', 'nginx'],
    ['--certificate', 'certificate.pem'],
    ['--https-port', '0'],
    ['--https-port', '8443', '--edge', 'shared-port'],
  ]) {
    const { code, text } = await start(...args)
    assert.equal(code, 2, args.join(' '))
    assert.match(text, /npm start -- --help/)
  }
})

test('secrets are made once, kept, completed for new roles, and never replaced when unreadable', () => {
  const first = loadSecrets(folder, ['carts'])
  const second = loadSecrets(folder, ['carts', 'orders'])
  assert.equal(second.databases.carts, first.databases.carts)
  assert.ok(second.databases.orders)
  assert.deepEqual(loadSecrets(folder, ['carts', 'orders']), second)
  // A data folder from before there was such a secret.
  const { credentialsKeys, ...older } = second
  writeFileSync(join(folder, 'secrets.json'), JSON.stringify(older))
  const completed = loadSecrets(folder, ['carts', 'orders'])
  assert.ok(completed.credentialsKeys[0]?.d)
  assert.notDeepEqual(completed.credentialsKeys, credentialsKeys)
  assert.deepEqual(loadSecrets(folder, ['carts', 'orders']), completed)
  const { email, password } = first.admin
  assert.deepEqual(readJson(join(folder, 'admin.json')), { email, password })
  writeFileSync(join(folder, 'secrets.json'), '{"postgresPassword":')
  assert.throws(() => loadSecrets(folder, []), { code: 'SECRETS_UNREADABLE' })
  rmSync(join(folder, 'secrets.json'))
  writeFileSync(join(folder, 'postgres.json'), '{}')
  assert.throws(() => loadSecrets(folder, []), { code: 'SECRETS_MISSING' })
})
