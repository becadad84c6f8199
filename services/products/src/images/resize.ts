import { AppError } from '@halles/kit/errors'
import type { Sharp } from 'sharp'
import { imageWidths, type Rendition } from '../domain/images.ts'
import type { ResizeImage } from '../ports.ts'

// What a camera or a phone takes in its usual mode; decoded it is under 100 MB. A file of a few
// kilobytes can claim far more.
const maxPixels = 25_000_000
// A banner that is a hundred times as high as wide would make renditions of any height.
const maxSide = 10_000
// One at a time: each may take a core and 100 MB. More that wait would outlast their deadline.
const maxWaiting = 4
// A picture within the limits takes under two seconds on one core.
const limitSeconds = 8
// Above this nobody sees the difference in a shop, and the size goes on growing.
const quality = 80

/** Reads JPEG, PNG and WebP and makes WebP of them, upright and without metadata. */
export function createResizer(): ResizeImage {
  let waiting = 0
  let last: Promise<unknown> = Promise.resolve()
  return async (content) => {
    if (!isKnownFormat(content)) throw notUsable('It is no JPEG, PNG or WebP image.')
    if (waiting > maxWaiting) throw imagesBusy()
    waiting += 1
    const mine = last.then(() => resize(content))
    // The next one's turn comes whatever became of this one.
    last = mine.then(
      () => undefined,
      () => undefined,
    )
    return mine.finally(() => {
      waiting -= 1
    })
  }
}

/** By its first bytes: what was said of the type is not believed, and no other decoder is woken. */
function isKnownFormat(content: Buffer): boolean {
  const head = content.toString('latin1', 0, 12)
  return (
    head.startsWith('\xff\xd8\xff') ||
    head.startsWith('\x89PNG\r\n\x1a\n') ||
    (head.startsWith('RIFF') && head.slice(8) === 'WEBP')
  )
}

async function resize(content: Buffer): Promise<Rendition[]> {
  // Loaded with the first image: most replicas never see one, and it is native code.
  const { default: sharp } = await import('sharp')
  sharp.cache(false)
  sharp.concurrency(1)
  try {
    const open = () =>
      sharp(content, { limitInputPixels: maxPixels, failOn: 'error', pages: 1 }).timeout({
        seconds: limitSeconds,
      })
    const { width, height, autoOrient } = await open().metadata()
    if (Math.max(width, height) > maxSide || width * height > maxPixels) throw tooManyPixels()
    const widths = new Set(imageWidths.map((each) => Math.min(each, autoOrient.width)))
    const renditions: Rendition[] = []
    // One after another, which needs a third of the memory.
    for (const each of widths) renditions.push(await rendition(open().autoOrient(), each))
    return renditions
  } catch (error) {
    if (error instanceof AppError) throw error
    throw notUsable('It cannot be decoded.', error)
  }
}

/** Metadata are left out, for sharp keeps them only when it is asked to. */
async function rendition(image: Sharp, width: number): Promise<Rendition> {
  const { data, info } = await image
    .resize({ width, withoutEnlargement: true })
    .webp({ quality })
    .toBuffer({ resolveWithObject: true })
  return { width: info.width, height: info.height, content: data }
}

function notUsable(detail: string, cause?: unknown): AppError {
  return new AppError('unprocessable', 'IMAGE_NOT_USABLE', `The image cannot be used. ${detail}`, {
    errors: [{ pointer: '/body', detail: 'is no image that can be used' }],
    cause,
  })
}

function tooManyPixels(): AppError {
  return notUsable(`It has more than ${maxPixels / 1e6} million pixels or a side over ${maxSide}.`)
}

function imagesBusy(): AppError {
  return new AppError('too-many', 'IMAGES_BUSY', 'Other images are being made ready; try again.', {
    retryAfterSeconds: 5,
  })
}
