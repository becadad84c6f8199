import { readFileSync } from 'node:fs'
import { join } from 'node:path'

type Lock = {
  packages: Record<string, { license?: string; version?: string; link?: boolean }>
}

export type Package = { name: string; version: string; licence: string }

/** Licences that ask for no more than their text and the names in it. docs/policies/licences.md */
export const allowed: ReadonlySet<string> = new Set([
  '0BSD',
  'Apache-2.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'BlueOak-1.0.0',
  'CC0-1.0',
  'ISC',
  'MIT',
  'MIT-0',
  'PSF-2.0',
  'Python-2.0',
  'Unlicense',
  'Zlib',
])

/** Single packages under another licence, and why they may be here. */
export const exceptions: readonly { name: RegExp; licence: string; why: string }[] = [
  {
    name: /^@img\/sharp(-libvips)?-/,
    licence: 'LGPL-3.0-or-later',
    why: 'libvips, an optional package of its own, loaded as a shared library: anybody may replace it, and we do not change it',
  },
  {
    name: /^lightningcss(-|$)/,
    licence: 'MPL-2.0',
    why: 'a tool of the build of the pages; used unchanged, and nothing of it is in what is built',
  },
  {
    name: /^axe-core$/,
    licence: 'MPL-2.0',
    why: 'a tool of the tests of the pages; used unchanged, and nothing of it runs in a shop',
  },
  {
    name: /^caniuse-lite$/,
    licence: 'CC-BY-4.0',
    why: 'data for tools of the build, unchanged and named here; nothing of it is in what is built',
  },
]

/** Every package of others that the lock file names. */
export function readPackages(root: string): Package[] {
  const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as Lock
  return Object.entries(lock.packages).flatMap(
    ([path, { license = 'none', version = '', link }]) => {
      const [, name] = /.*node_modules\/(.+)$/.exec(path) ?? []
      return name === undefined || link ? [] : [{ name, version, licence: license }]
    },
  )
}

/** Those whose licence is neither allowed nor an exception. */
export function findUnlicensed(packages: readonly Package[]): Package[] {
  return packages.filter(({ name, licence }) => !isAllowed(licence, (each) => mayHave(name, each)))
}

function mayHave(name: string, licence: string): boolean {
  if (allowed.has(licence)) return true
  return exceptions.some((each) => each.licence === licence && each.name.test(name))
}

/** An SPDX expression: one of those between OR, each of those between AND. */
function isAllowed(expression: string, isGood: (licence: string) => boolean): boolean {
  const text = expression.replaceAll(/[()]/g, '')
  return text
    .split(/ OR /i)
    .some((choice) => choice.split(/ AND /i).every((each) => isGood(each.trim())))
}
