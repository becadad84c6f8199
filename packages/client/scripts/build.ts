/**
 * Builds what npm gets: one ES module for browsers and Node, and its types, which are checked
 * against what both have in common.
 */
import { execFileSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import { resolve } from 'node:path'
import { build } from 'esbuild'

const folder = resolve(import.meta.dirname, '..')
const dist = resolve(folder, 'dist')
const tsc = resolve(folder, '../../node_modules/.bin/tsc')

rmSync(dist, { recursive: true, force: true })
execFileSync(tsc, ['-p', folder, '--pretty', 'false'], { stdio: 'inherit' })
await build({
  entryPoints: [resolve(folder, 'src/index.ts')],
  outfile: resolve(dist, 'index.js'),
  bundle: true,
  format: 'esm',
  // What has AbortSignal.any has this: Node 20.3, and browsers of 2024.
  target: ['es2022'],
  platform: 'neutral',
})
