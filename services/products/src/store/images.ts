import { type Database, sql, type Tx } from '@halles/kit/database'
import type { Upload } from '../domain/images.ts'
import type { ImageStore } from '../ports.ts'

const insert = sql(
  'products.insert_image',
  `with added as (
    insert into images (id, product_id, created_by, created_at) values ($1, $2, $3, $4)
  )
  insert into image_renditions (image_id, width, content)
  select $1, width, content from unnest($5::int[], $6::bytea[]) as rendition (width, content)`,
)
const remove = sql('products.delete_images', 'delete from images where id = any ($1::uuid[])')
// Of an image that is narrower than it was asked for, the widest that there is.
const select = sql(
  'products.select_image',
  `select content from image_renditions where image_id = $1 and width <= $2
   order by width desc limit 1`,
)
export function createImageStore(database: Database): ImageStore {
  return {
    async find(imageId, width) {
      return (await database.maybe<{ content: Buffer }>(select, [imageId, width]))?.content
    },
  }
}

export async function insertImage(
  tx: Tx,
  { id, renditions }: Upload,
  { productId, by, at }: { productId: string; by: string; at: Date },
): Promise<void> {
  const widths = renditions.map(({ width }) => width)
  const contents = renditions.map(({ content }) => content)
  await tx.run(insert, [id, productId, by, at, widths, contents])
}

export async function deleteImages(tx: Tx, ids: readonly string[]): Promise<void> {
  await tx.run(remove, [ids])
}
