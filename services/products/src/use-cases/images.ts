import { checkRoomForImage, imageNotFound, withImage } from '../domain/images.ts'
import { checkExists, checkVersion, decideChange, type Image } from '../domain/product.ts'
import type { Deps } from '../ports.ts'
import type { Edit } from './products.ts'
import { readProduct } from './staff-catalogue.ts'

type Adding = Pick<Deps, 'products' | 'staffCatalogue' | 'resizeImage' | 'clock' | 'newId'>

/** Keeps an uploaded image in all its widths, as the product's last. */
export async function addImage(
  deps: Adding,
  { productId, content, alt }: { productId: string; content: Buffer; alt: string },
  { by, expectedVersion }: Edit,
): Promise<{ image: Image; version: number }> {
  // Before the work, which is much more than a look.
  const known = await readProduct(deps, productId)
  checkExists(known)
  checkVersion(known, expectedVersion)
  checkRoomForImage(known)
  const upload = { id: deps.newId(), renditions: await deps.resizeImage(content) }
  const stamp = { at: deps.clock(), newId: deps.newId }
  const { images, version } = await deps.products.change(productId, { by }, (product) => {
    checkExists(product)
    checkVersion(product, expectedVersion)
    const change = decideChange(product, withImage(product, upload, alt), stamp)
    return change && { ...change, upload }
  })
  return { image: images.at(-1) as Image, version }
}

/** @throws not-found `IMAGE_NOT_FOUND`. */
export async function readImage(
  { images }: Pick<Deps, 'images'>,
  { imageId, width }: { imageId: string; width: number },
): Promise<Buffer> {
  const content = await images.find(imageId, width)
  if (!content) throw imageNotFound()
  return content
}
