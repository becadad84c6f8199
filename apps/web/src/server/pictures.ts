import type { ServerResponse } from 'node:http'
import { drawPicture } from '../pictures/draw.ts'

const pattern = /^\/pictures\/([a-z0-9-]{1,80})\.svg$/
const maxCategoryLength = 100

/** Answers `/pictures/{name}.svg`; false for every other path. */
export function servePicture(path: string, url: string, response: ServerResponse): boolean {
  const name = pattern.exec(path)?.[1]
  if (name === undefined) return false
  const stall = new URLSearchParams(url.split('?')[1] ?? '').get('stall') ?? ''
  const body = drawPicture(name, stall.slice(0, maxCategoryLength))
  response.writeHead(200, {
    'content-type': 'image/svg+xml',
    'content-length': Buffer.byteLength(body),
    // A better drawing of a later release is seen a day later.
    'cache-control': 'public, max-age=86400',
    'content-security-policy': "default-src 'none'",
    'x-content-type-options': 'nosniff',
  })
  response.end(body)
  return true
}
