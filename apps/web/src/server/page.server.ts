import { createContext, data, type RouterContextProvider, redirect } from 'react-router'
import type { PageProblem } from '../problem.ts'
import { type Language, languageOfPath, localPath, preferredLanguage } from '../text/language.ts'
import type { ApiAnswer, ApiInput, ApiProblem, OperationName } from './api.ts'
import { deviceOf } from './device.ts'
import type { Visit } from './visit.ts'

/** Who asks; set for each request by `createPages`. */
export const visitContext = createContext<Visit>()
/** What lets our own inline scripts run. */
export const nonceContext = createContext<string>()

/** What React Router gives loaders and actions; only what we use of it. */
export type PageArgs = {
  request: Request
  context: Readonly<RouterContextProvider>
  params: Readonly<Record<string, string | undefined>>
}

/** One page being made: the visit, the language, and the API on the visitor's behalf. */
export type Page = {
  readonly visit: Visit
  readonly language: Language
  readonly url: URL
  /** What its owner knows the browser by. */
  readonly device: string | undefined
  /** A path of the shop in the page's language: `/cart` → `/fr/cart`. */
  path(to: string): string
  /**
   * Calls the API. A refusal is thrown in the form that error boundaries show; read it in an action
   * with `problemOf`. Who is not signed in, or no longer, is sent to the sign-in.
   */
  call<Name extends OperationName>(operation: Name, input: ApiInput<Name>): Promise<ApiAnswer<Name>>
}

/** What every loader and action begins with. */
export function pageOf({ request, context }: PageArgs): Page {
  const visit = context.get(visitContext)
  const url = new URL(request.url)
  const area = /^\/(office|console)(\/|$)/.exec(url.pathname)?.[1]
  const language = area ? preferredLanguage(request.headers) : languageOfPath(url.pathname)
  const path = (to: string) => (area ? to : localPath(language, to))
  const page: Page = {
    visit,
    language,
    url,
    device: deviceOf(request.headers),
    path,
    async call(operation, input) {
      try {
        return await visit.call(operation, input)
      } catch (error) {
        throw toThrown(error, page)
      }
    },
  }
  return page
}

/** What `meta` needs to know of a page. */
export function pageDataOf({ language, url, visit }: Page): { language: Language; url: string } {
  return { language, url: `${visit.publicUrl}${url.pathname}` }
}

/** The address of the sign-in, which leads back to the page. */
export function signInPath(page: Page, more: Record<string, string> = {}): string {
  const next = `${page.url.pathname.replace(/\.data$/, '')}${page.url.search}`
  return `${page.path('/sign-in')}?${new URLSearchParams({ next, ...more })}`
}

/** What a loader throws for an error of the API. */
export function toThrown(error: unknown, page: Page): unknown {
  if (!(error instanceof Error)) return error
  // By name: the server and the pages are bundled apart, so each has a class of its own.
  if (error.name === 'ApiProblem') {
    const { problem, part, retryAfterSeconds } = error as ApiProblem
    if (problem.status === 401) return redirect(signInPath(page))
    return thrownProblem({ ...problem, part }, retryAfterSeconds)
  }
  if (error.name === 'SessionEnded') {
    return redirect(signInPath(page, { ended: '1' }))
  }
  return error
}

/** A problem in the form that React Router hands to error boundaries whole. */
export function thrownProblem(problem: PageProblem, retryAfterSeconds?: number) {
  const headers: Record<string, string> =
    retryAfterSeconds === undefined ? {} : { 'retry-after': String(retryAfterSeconds) }
  return data(problem, { status: problem.status, headers })
}

/** For a part of a page that the page can do without: its data, or why there are none. */
export async function attempt<T>(
  work: Promise<T>,
): Promise<{ data: T; problem?: undefined } | { data?: undefined; problem: PageProblem }> {
  try {
    return { data: await work }
  } catch (error) {
    const problem = problemOf(error)
    if (!problem || problem.status < 500) throw error
    return { problem }
  }
}

/** The problem that `page.call` threw; undefined for everything else. */
export function problemOf(thrown: unknown): PageProblem | undefined {
  if (typeof thrown !== 'object' || thrown === null || !('data' in thrown)) return undefined
  const { data: content } = thrown
  const isProblem = typeof content === 'object' && content !== null && 'code' in content
  return isProblem ? (content as PageProblem) : undefined
}

/** A 404 of our own. */
export function notFound() {
  return thrownProblem({ status: 404, code: 'PAGE_NOT_FOUND', part: 'web', detail: '' })
}

/** A path of ours to go on to: never another site's. */
export function safeNext(value: unknown, fallback: string): string {
  const text = typeof value === 'string' ? value : ''
  return /^\/(?![/\\])[^\s\\]{0,500}$/.test(text) ? text : fallback
}
