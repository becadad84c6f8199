import { AppError, type FieldError } from '@halles/kit/errors'
import type { Image, Product } from './product.ts'

/** An image as it was uploaded, ready to be kept: the same picture in several widths. */
export type Upload = { id: string; renditions: readonly Rendition[] }

export type Rendition = { width: number; height: number; content: Buffer }

/** Widths in which an image is kept; one that is narrower is kept as wide as it is. */
export const imageWidths = [320, 640, 1280] as const

const uploadedPath = '/api/v1/images/'

// A product page with more has another problem; and what is uploaded has to be kept somewhere.
const maxUploaded = 20
const maxImages = 50

export function isUploaded({ url }: Pick<Image, 'url'>): boolean {
  return url.startsWith(uploadedPath)
}

/** The images that an edit wants: of those that are uploaded, only what the product has. */
export function chooseImages(
  wanted: readonly Image[],
  known: readonly Image[],
): { images: Image[]; faults: FieldError[] } {
  const faults: FieldError[] = []
  const images = wanted.map(({ url, alt }, index): Image => {
    if (!isUploaded({ url })) return { url, alt }
    const own = known.find((image) => image.url === url)
    if (own) return { ...own, alt }
    faults.push({ pointer: `/body/images/${index}/url`, detail: 'is no image of this product' })
    return { url, alt }
  })
  return { images, faults }
}

/** @throws conflict `TOO_MANY_IMAGES`. */
export function checkRoomForImage({ images }: Product): void {
  if (images.length < maxImages && images.filter(isUploaded).length < maxUploaded) return
  throw new AppError(
    'conflict',
    'TOO_MANY_IMAGES',
    `A product has at most ${maxUploaded} uploaded images and ${maxImages} in all.`,
  )
}

/** The product with the image as its last. */
export function withImage(product: Product, { id, renditions }: Upload, alt: string): Product {
  checkRoomForImage(product)
  const largest = renditions.reduce((best, each) => (each.width > best.width ? each : best))
  const { width, height } = largest
  const url = `${uploadedPath}${id}/${imageWidths.at(-1)}.webp`
  return { ...product, images: [...product.images, { url, alt: alt.trim(), id, width, height }] }
}

/** Ids of uploaded images that a change leaves without a product. */
export function droppedImages(before: Product | undefined, after: Product): string[] {
  const kept = new Set(after.status === 'removed' ? [] : after.images.map(({ id }) => id))
  return (before?.images ?? []).flatMap(({ id }) => (id === undefined || kept.has(id) ? [] : [id]))
}

export function imageNotFound(): AppError {
  return new AppError('not-found', 'IMAGE_NOT_FOUND', 'There is no such image.')
}
