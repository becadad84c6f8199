import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { providePrograms } from '../../stack/src/brokers/install.ts'
import { findProgram } from '../../stack/src/brokers/programs.ts'
import { terminalReport as report } from '../../stack/src/report.ts'
import { makeBases } from './base.ts'
import { checkContent } from './content.ts'
import { startFromImage } from './platform.ts'
import { buy } from './purchase.ts'
import { runProgram, runtimeOptions } from './tools.ts'

const help = `Builds deploy/image/Dockerfile, looks into the image, runs the whole platform from it and buys something.

  npm run check:image               needs Linux, root, and podman and buildah (Debian: installed when missing)
  npm run check:image -- --quick    builds once; else twice, to see that it is the same image

BUILDER and BASE name the images to build on; without them, stand-ins are made from Debian packages.
Brokers are used where they are installed (HALLES_TEST_BROKERS as for npm test).
`

const root = resolve(import.meta.dirname, '../..')
const image = 'localhost/halles:check'
const programs = ['buildah', 'podman', 'debootstrap', 'runc'] as const
// npm fetches some 200 MB at the first build.
const buildLimitMs = 900_000

async function provideTools(): Promise<void> {
  const extras = programs.map((name) => ({ program: name, package: name }))
  await providePrograms({ names: [], extras, report })
  const missing = programs.filter((name) => findProgram(name) === undefined)
  if (missing.length > 0) throw new Error(`Not installed: ${missing.join(', ')}.`)
}

/**
 * Builds the image and returns what it is made of: layers and settings. Its id also covers the ids of
 * buildah's steps, which are new each time.
 */
async function build(bases: { builder: string; base: string }, isFresh: boolean): Promise<string> {
  const revision = (await runProgram('git', ['rev-parse', 'HEAD'], { cwd: root })).trim()
  const date = ['show', '--no-patch', '--format=%ct', 'HEAD']
  const epoch = (await runProgram('git', date, { cwd: root })).trim()
  const created = new Date(Number(epoch) * 1_000).toISOString()
  const values = {
    ...{ BUILDER: bases.builder, BASE: bases.base, SOURCE_DATE_EPOCH: epoch },
    ...{ VERSION: '0.0.0-check', REVISION: revision, CREATED: created },
  }
  const authority = process.env.NODE_EXTRA_CA_CERTS
  const { global, limits } = runtimeOptions()
  await runProgram(
    'buildah',
    [
      ...['build', ...global, '--isolation', 'oci', '--network', 'host', ...limits],
      // The older format of the two: the newer one has no place for a health check. A layer that
      // is taken from the cache has the time of the build that made it.
      ...[
        '--format',
        'docker',
        '--timestamp',
        epoch,
        '--layers',
        ...(isFresh ? ['--no-cache'] : []),
      ],
      ...Object.entries(values).flatMap(([name, value]) => ['--build-arg', `${name}=${value}`]),
      ...(authority && existsSync(authority) ? ['--secret', `id=ca,src=${authority}`] : []),
      ...['--ignorefile', 'deploy/image/Dockerfile.dockerignore'],
      ...['--file', 'deploy/image/Dockerfile', '--tag', image, '--quiet', '.'],
    ],
    { cwd: root, limitMs: buildLimitMs },
  )
  const format = '{{json .RootFS.Layers}} {{json .Config}}'
  return runProgram('podman', ['image', 'inspect', '--format', format, image])
}

/** Native code loads, and works, where there is nothing but the image. */
async function checkNative(): Promise<void> {
  const script = `
    const { hashSync, verifySync } = require('@node-rs/argon2')
    if (!verifySync(hashSync('a'), 'a')) throw new Error('argon2')
    const create = { width: 8, height: 8, channels: 3, background: 'red' }
    const sharp = require('sharp')
    sharp({ create }).webp().toBuffer().then(({ length }) => console.log(process.version, length))`
  const { global, limits } = runtimeOptions()
  const output = await runProgram('podman', [
    ...[...global, 'run', '--rm', '--no-healthcheck', '--read-only', '--network', 'none'],
    ...[...limits, '--cap-drop', 'all', '--entrypoint', '/usr/local/bin/node', image, '-e', script],
  ])
  assert.match(output, /^v24\.\d+\.\d+ \d+\n$/)
}

async function timed<T>(what: string, work: () => Promise<T>): Promise<T> {
  const startedAtMs = performance.now()
  const result = await work()
  report.done(what, performance.now() - startedAtMs)
  return result
}

async function check(isQuick: boolean): Promise<void> {
  await provideTools()
  const { BUILDER, BASE } = process.env
  const bases = BUILDER && BASE ? { builder: BUILDER, base: BASE } : await makeBases(report)
  report.note(`built on ${bases.base}, by ${bases.builder}`)
  const first = await timed('image', () => build(bases, !isQuick))
  report.note(await checkContent(image))
  await checkNative()
  report.note('argon2 and sharp work in it')
  const platform = await timed('platform from it', () => startFromImage(image))
  try {
    report.note(`beside it: ${platform.servers}`)
    for (const { id, part } of platform.instances) {
      assert.ok(await platform.isWell(id, 'health'), `${id} is not well.`)
      const isProbed = part.name !== 'stripe-sandbox'
      if (isProbed) assert.ok(await platform.isWell(id, 'ready'), `${id} is not ready.`)
    }
    report.note(`${platform.instances.length} containers are well by their own health check`)
    report.note(await timed('purchase', () => buy(platform)))
    const ends = await timed('end', () => platform.end())
    const wrong = Object.entries(ends).filter(([, code]) => code !== 0)
    assert.deepEqual(wrong, [], 'Containers did not end cleanly after SIGTERM.')
  } finally {
    await platform.stop()
  }
  if (isQuick) return
  const second = await timed('second build', () => build(bases, true))
  assert.equal(second, first, 'Two builds of the same sources made two images.')
  report.note('two builds without a cache: the same layers and settings')
}

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})
if (values.help) process.stdout.write(help)
else if (process.platform !== 'linux' || process.getuid?.() !== 0) {
  report.problem('Images are built and run here on Linux as root alone; nothing was checked.')
  process.exitCode = 1
} else await check(values.quick)
