import { PassThrough } from 'node:stream'
import { createReadableStreamFromReadable } from '@react-router/node'
import { renderToPipeableStream } from 'react-dom/server'
import {
  createRequestHandler,
  type EntryContext,
  type HandleErrorFunction,
  RouterContextProvider,
  type ServerBuild,
  ServerRouter,
} from 'react-router'
import { NonceContext } from './nonce.ts'
import { nonceContext, visitContext } from './server/page.server.ts'
import type { AnswerPage } from './server/pages.ts'
import { en } from './text/shop/en.ts'
import { fr } from './text/shop/fr.ts'
import { provideShopText } from './text/shop-text.ts'

provideShopText('en', en)
provideShopText('fr', fr)

// A loader's own limit is shorter; this ends a stream that nobody will finish.
export const streamTimeout = 15_000

/** The application as the web server knows it. `mode` is `development` under Vite alone. */
export function createPages(build: ServerBuild, mode = 'production'): AnswerPage {
  const answer = createRequestHandler(build, mode)
  return (request, visit, nonce) => {
    const context = new RouterContextProvider()
    context.set(visitContext, visit)
    context.set(nonceContext, nonce)
    return answer(request, context)
  }
}

/** Errors that nobody expected; refusals of the API are pages, not errors. */
export const handleError: HandleErrorFunction = (error, { request, context }) => {
  if (request.signal.aborted) return
  const { pathname: path } = new URL(request.url)
  context.get(visitContext).log.error({ error, path }, 'A page failed.')
}

// React Router asks for a default export.
export default function renderPage(
  request: Request,
  status: number,
  headers: Headers,
  entry: EntryContext,
  context: RouterContextProvider,
): Promise<Response> {
  const nonce = context.get(nonceContext)
  const { promise, resolve, reject } = Promise.withResolvers<Response>()
  let answered = status
  const { pipe, abort } = renderToPipeableStream(
    <NonceContext value={nonce}>
      <ServerRouter context={entry} url={request.url} nonce={nonce} />
    </NonceContext>,
    {
      nonce,
      onShellReady() {
        const body = new PassThrough()
        headers.set('content-type', 'text/html; charset=utf-8')
        resolve(new Response(createReadableStreamFromReadable(body), { status: answered, headers }))
        pipe(body)
      },
      onShellError: reject,
      onError(error) {
        answered = 500
        if (request.signal.aborted) return
        context.get(visitContext).log.error({ error }, 'A page could not be rendered.')
      },
    },
  )
  const timer = setTimeout(abort, streamTimeout + 1_000)
  timer.unref()
  return promise
}
