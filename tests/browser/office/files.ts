import { crc32, deflateSync } from 'node:zlib'

/** A square of one colour as PNG, for uploads. */
export function squarePng(size: number): Buffer {
  const row = Buffer.concat([Buffer.from([0]), Buffer.alloc(size * 3, 140)])
  const pixels = deflateSync(Buffer.concat(Array.from({ length: size }, () => row)))
  const head = Buffer.alloc(13)
  head.writeUInt32BE(size, 0)
  head.writeUInt32BE(size, 4)
  // Eight bits, colours without a palette.
  head.set([8, 2, 0, 0, 0], 8)
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])
  const parts = [chunk('IHDR', head), chunk('IDAT', pixels), chunk('IEND', Buffer.alloc(0))]
  return Buffer.concat([signature, ...parts])
}

function chunk(type: string, content: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), content])
  const length = Buffer.alloc(4)
  length.writeUInt32BE(content.length)
  const check = Buffer.alloc(4)
  check.writeUInt32BE(crc32(body))
  return Buffer.concat([length, body, check])
}

/** A Shopify product file: two products that can be used, and one whose price is no number. */
export function csvOfProducts(name: string): string {
  const head =
    'Handle,Title,Body (HTML),Vendor,Tags,Option1 Name,Option1 Value,Variant SKU,Variant Price'
  const row = (product: string, price: string) =>
    `${product}-${name},${product} ${name},<p>Good.</p>,Halles,,Title,Default Title,${product}-${name},${price}`
  return [head, row('figs', '3.20'), row('dates', '4.10'), row('quinces', 'dear')].join('\n')
}
