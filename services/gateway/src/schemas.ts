import { createHash } from 'node:crypto'
import { schemas } from '@halles/contracts/gen/schemas'
import { AppError } from '@halles/kit/errors'
import { reply } from '@halles/kit/http-server'

type Document = { text: string; etag: string }

const documents: ReadonlyMap<string, Document> = new Map(
  Object.entries(schemas).map(([type, schema]) => {
    const text = JSON.stringify(schema)
    const hash = createHash('sha256').update(text).digest('base64url').slice(0, 22)
    return [type, { text, etag: `"${hash}"` }]
  }),
)

/** Answers with the published schema of a message type. Throws `SCHEMA_NOT_FOUND`. */
export function answerSchema(type: string, ifNoneMatch: string | undefined) {
  const found = documents.get(type)
  if (!found) {
    throw new AppError('not-found', 'SCHEMA_NOT_FOUND', 'No message of ours has this type.')
  }
  const { text, etag } = found
  // A version of a type only ever gains optional members, so an hour-old one reads everything.
  const headers = { etag, 'cache-control': 'public, max-age=3600' }
  if (ifNoneMatch === etag) return reply(undefined, { status: 304, headers })
  return reply(text, { headers: { ...headers, 'content-type': 'application/schema+json' } })
}
