import { open } from 'node:fs/promises'
import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'
import { AppError } from '@halles/kit/errors'
import { errorCode } from './files.ts'

// What the shop takes; a small compressed file can be a very large one.
const maxBytes = 16 * 1024 * 1024
const gzipMark = Buffer.from([0x1f, 0x8b])

/** The CSV in a file, decompressed where need be. Throws with a sentence that names the reason. */
export async function readCatalogueFile(path: string): Promise<Buffer<ArrayBuffer>> {
  const bytes = await readBounded(path)
  if (!bytes.subarray(0, 2).equals(gzipMark)) return bytes
  try {
    return Buffer.from(await promisify(gunzip)(bytes, { maxOutputLength: maxBytes }))
  } catch (cause) {
    if (errorCode(cause) === 'ERR_BUFFER_TOO_LARGE') throw tooLarge()
    throw unreadable('is not a whole gzip file', cause)
  }
}

async function readBounded(path: string): Promise<Buffer<ArrayBuffer>> {
  try {
    await using file = await open(path)
    const { size } = await file.stat()
    if (size > maxBytes) throw tooLarge()
    return Buffer.from(await file.readFile())
  } catch (cause) {
    if (cause instanceof AppError) throw cause
    const reasons: Readonly<Record<string, string>> = {
      ENOENT: 'does not exist',
      EISDIR: 'is a folder',
      EACCES: 'may not be read',
    }
    throw unreadable(reasons[errorCode(cause) ?? ''] ?? `cannot be read (${String(cause)})`, cause)
  }
}

function tooLarge(): AppError {
  const limit = 'has more than 16 MiB; split it and import the parts'
  return new AppError('too-large', 'FILE_TOO_LARGE', `The file ${limit}.`)
}

function unreadable(why: string, cause: unknown): AppError {
  return new AppError('invalid', 'FILE_UNREADABLE', `The file ${why}.`, { cause })
}
