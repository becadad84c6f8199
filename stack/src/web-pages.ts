import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { AppError } from '@halles/kit/errors'
import { root } from './bundle.ts'
import type { Report } from './report.ts'

// Some seconds of work on a busy machine; a disk that hangs must not hang the start for ever.
const limitMs = 180_000

/** Builds what people see, when its sources changed; in a process of its own, for its memory. */
export async function buildPages(report: Report): Promise<void> {
  const startedAtMs = performance.now()
  const child = spawn(process.execPath, [join(root, 'apps/web/scripts/build.ts')], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: limitMs,
  })
  let said = ''
  let complaint = ''
  child.stdout.on('data', (chunk: Buffer) => {
    said += chunk.toString()
  })
  child.stderr.on('data', (chunk: Buffer) => {
    complaint += chunk.toString()
  })
  const code = await new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', resolve)
  })
  if (code !== 0) {
    throw new AppError('unavailable', 'PAGES_NOT_BUILT', complaint.trim() || 'The build was ended.')
  }
  // It says nothing when there was nothing to do.
  if (said !== '') report.done('pages', performance.now() - startedAtMs)
}
