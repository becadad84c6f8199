import type { IncomingMessage, ServerResponse } from 'node:http'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { loadAssets } from './assets.ts'
import type { Visit } from './visit.ts'

/** Makes a page: what `entry.server.tsx` exports as `createPages`. */
export type AnswerPage = (request: Request, visit: Visit, nonce: string) => Promise<Response>

/** The application, built or in development. */
export type Pages = {
  /** Answers requests for files; false when it is no file. */
  serveFile(
    path: string,
    request: IncomingMessage,
    response: ServerResponse,
  ): boolean | Promise<boolean>
  answer: AnswerPage
  /** More for the content security policy, by directive. */
  policy?: Readonly<Record<string, string>>
  stop?(): Promise<void>
}

type ServerBuild = { entry: { module: { createPages(build: unknown): AnswerPage } } }

/** The pages that were built into this folder. */
export async function loadPages(folder: string): Promise<Pages> {
  const at = resolve(folder)
  const assets = await loadAssets(join(at, 'client'))
  const url = pathToFileURL(join(at, 'server/index.js')).href
  const build = (await import(url)) as ServerBuild
  return { serveFile: assets.serve, answer: build.entry.module.createPages(build) }
}
