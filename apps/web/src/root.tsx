import type { ReactNode } from 'react'
import {
  Links,
  type LoaderFunctionArgs,
  Meta,
  Outlet,
  ScrollRestoration,
  type ShouldRevalidateFunction,
  useRouteLoaderData,
} from 'react-router'
import designUrl from './design/design.css?url'
import { ProblemPage } from './design/ProblemPage.tsx'
import { pageOf } from './server/page.server.ts'
import { Start } from './start.tsx'
import type { RootData } from './text/use-language.ts'

export const links = () => [{ rel: 'icon', href: '/favicon.svg', type: 'image/svg+xml' }]

export function loader(args: LoaderFunctionArgs): RootData {
  const { language, visit } = pageOf(args)
  return { language, publicUrl: visit.publicUrl }
}

// Neither changes while a page is open: another language is another document.
export const shouldRevalidate: ShouldRevalidateFunction = () => false

export function Layout({ children }: { children: ReactNode }) {
  const language = useRouteLoaderData<RootData>('root')?.language ?? 'en'
  return (
    <html lang={language}>
      <head>
        <meta charSet="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="theme-color" content="#17392e" />
        <Meta />
        <Links />
      </head>
      <body>
        {children}
        <ScrollRestoration />
        <Start />
      </body>
    </html>
  )
}

export default function Root() {
  return <Outlet />
}

export function ErrorBoundary({ error }: { error: unknown }) {
  return (
    <>
      {/* The sheet of each area holds the design: one file is one way to the server less. */}
      <link rel="stylesheet" href={designUrl} precedence="default" />
      <ProblemPage error={error} />
    </>
  )
}
