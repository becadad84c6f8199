import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join, relative, resolve } from 'node:path'
import { readLock } from '../../stack/image/src/packages.ts'
import type { Report } from '../../stack/src/report.ts'
import { runProgram } from './tools.ts'

const root = resolve(import.meta.dirname, '../..')
const suite = 'bookworm'
// As in the image that deploy/image/Dockerfile names.
const npm = 'npm@11.19.1'

// What gcr.io/distroless/cc-debian12 is made of: files of these packages, and no program.
const packages = ['base-files', 'libc6', 'libgcc-s1', 'libstdc++6', 'tzdata']
const leftOut = /^\/(usr\/)?(s?bin|share\/(doc|man|lintian|perl5?|bug)|lib\/mime)(\/|$)/

export type Bases = { builder: string; base: string }

/**
 * Stand-ins for the two images that the Dockerfile starts from, where no registry is reached: a
 * minimal Debian with Node and npm from npm, and the libraries of the same Debian. Kept in podman's
 * store; takes minutes the first time.
 */
export async function makeBases(report: Report): Promise<Bases> {
  const node = readLock(root)[`node_modules/node-linux-${process.arch}`]?.version
  const bases = {
    builder: `localhost/halles-builder:${suite}-${node}`,
    base: `localhost/halles-base:${suite}`,
  }
  if ((await hasImage(bases.builder)) && (await hasImage(bases.base))) return bases
  report.note('Making the images to build on from Debian packages (once, some minutes) …')
  const folder = mkdtempSync(join(tmpdir(), 'halles-base-'))
  try {
    const debian = join(folder, 'root')
    await runProgram(
      'debootstrap',
      ['--variant=minbase', '--include=ca-certificates', suite, debian],
      { limitMs: 900_000 },
    )
    await makeBase(debian, bases.base)
    await addNode(folder, debian)
    await importImage(debian, ['.'], bases.builder)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
  return bases
}

async function hasImage(name: string): Promise<boolean> {
  return (await runProgram('podman', ['images', '--quiet', name])).trim() !== ''
}

async function makeBase(debian: string, name: string): Promise<void> {
  const listed = await runProgram('chroot', [debian, 'dpkg', '-L', ...packages])
  const files = listed.split('\n').filter((path) => path.length > 2 && !leftOut.test(path))
  writeFileSync(
    join(debian, 'etc/passwd'),
    'root:x:0:0::/root:/sbin/nologin\nnonroot:x:65532:65532::/:/sbin/nologin\n',
  )
  writeFileSync(join(debian, 'etc/group'), 'root:x:0:\nnonroot:x:65532:\n')
  const own = ['/etc/passwd', '/etc/group', '/etc/ssl/certs/ca-certificates.crt']
  // Debian's packages name /lib, which is a link: a file is packed where it really is.
  const real = [...files, ...own].map((path) => {
    const parent = realpathSync(join(debian, dirname(path)))
    return `./${relative(debian, join(parent, basename(path)))}`
  })
  const wanted = [...new Set([...real, './lib', './lib64'])]
  await importImage(debian, ['--no-recursion', ...wanted], name)
}

async function addNode(folder: string, debian: string): Promise<void> {
  const binary = join(root, `node_modules/node-linux-${process.arch}/bin/node`)
  cpSync(binary, join(debian, 'usr/local/bin/node'))
  await runProgram('npm', ['pack', '--silent', '--pack-destination', folder, npm], { cwd: folder })
  const target = join(debian, 'usr/local/lib/node_modules/npm')
  mkdirSync(target, { recursive: true })
  const archive = join(folder, `${npm.replace('@', '-')}.tgz`)
  await runProgram('tar', ['-xf', archive, '-C', target, '--strip-components=1'])
  symlinkSync('../lib/node_modules/npm/bin/npm-cli.js', join(debian, 'usr/local/bin/npm'))
}

async function importImage(from: string, files: readonly string[], name: string): Promise<void> {
  const archive = `${from}.tar`
  await runProgram('tar', ['-C', from, '-cf', archive, ...files], { limitMs: 300_000 })
  await runProgram('podman', ['import', '--quiet', archive, name], { limitMs: 300_000 })
  rmSync(archive)
}
