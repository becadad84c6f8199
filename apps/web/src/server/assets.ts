import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { extname, join, relative, sep } from 'node:path'

export type Assets = {
  /** Answers a request for a built file; false when there is none of that name. */
  serve(path: string, request: IncomingMessage, response: ServerResponse): boolean
}

type Asset = {
  type: string
  etag: string
  cacheControl: string
  body: Buffer
  br: Buffer | undefined
  gzip: Buffer | undefined
}

const types: Readonly<Record<string, string>> = {
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.webp': 'image/webp',
  '.ico': 'image/x-icon',
  '.txt': 'text/plain; charset=utf-8',
  '.json': 'application/json',
  '.webmanifest': 'application/manifest+json',
  '.woff2': 'font/woff2',
}

/** Reads the built files once: all of them together are a few megabytes. */
export async function loadAssets(folder: string): Promise<Assets> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const paths = entries
    .filter(({ parentPath }) => !relative(folder, parentPath).startsWith('.'))
    .filter((entry) => entry.isFile() && types[extname(entry.name)] !== undefined)
    .map((entry) => join(entry.parentPath, entry.name))
  const assets = new Map(
    await Promise.all(
      paths.map(async (path): Promise<[string, Asset]> => {
        const name = `/${relative(folder, path).split(sep).join('/')}`
        return [name, await loadAsset(path, name)]
      }),
    ),
  )
  return {
    serve(path, request, response) {
      const asset = assets.get(path)
      if (!asset) return false
      answer(asset, request, response)
      return true
    },
  }
}

async function loadAsset(path: string, name: string): Promise<Asset> {
  const body = await readFile(path)
  const optional = (file: string) =>
    readFile(file).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined
      throw error
    })
  return {
    type: types[extname(path)] ?? 'application/octet-stream',
    etag: `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`,
    // The names below /assets contain a hash of the content.
    cacheControl: name.startsWith('/assets/')
      ? 'public, max-age=31536000, immutable'
      : 'public, max-age=3600',
    body,
    br: await optional(`${path}.br`),
    gzip: await optional(`${path}.gz`),
  }
}

function answer(asset: Asset, request: IncomingMessage, response: ServerResponse): void {
  const headers: Record<string, string | number> = {
    'content-type': asset.type,
    'cache-control': asset.cacheControl,
    etag: asset.etag,
    vary: 'accept-encoding',
    'x-content-type-options': 'nosniff',
  }
  if (request.headers['if-none-match'] === asset.etag) {
    response.writeHead(304, headers).end()
    return
  }
  const accepted = String(request.headers['accept-encoding'] ?? '')
  const [encoding, body] =
    asset.br && /\bbr\b/.test(accepted)
      ? ['br', asset.br]
      : asset.gzip && /\bgzip\b/.test(accepted)
        ? ['gzip', asset.gzip]
        : [undefined, asset.body]
  headers['content-length'] = body.length
  if (encoding) headers['content-encoding'] = encoding
  response.writeHead(200, headers)
  response.end(request.method === 'HEAD' ? undefined : body)
}
