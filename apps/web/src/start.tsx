import {
  cloneElement,
  Fragment,
  isValidElement,
  type ReactElement,
  type ReactNode,
  useContext,
} from 'react'
import { Scripts, useMatches } from 'react-router'
import { NonceContext } from './nonce.ts'
import { startScript } from './start-script.ts'

/** What a route module may say of itself: `export const handle = { startsNow: true }`. */
export type PageHandle = { startsNow?: boolean }

/**
 * Loads the application's scripts. A page of the shop works without them, so it loads them when its
 * visitor first moves, touches or types; pages that change by themselves (`startsNow`), the office
 * and the console load them at once.
 */
export function Start() {
  const startsNow = useMatches().some(({ handle }) => (handle as PageHandle | undefined)?.startsNow)
  const nonce = useContext(NonceContext)
  // Called, not rendered: what it would render is put off.
  const scripts = Scripts({})
  if (startsNow || scripts === null) return scripts
  return (
    <>
      {putOff(scripts)}
      <script
        id="start"
        nonce={nonce}
        suppressHydrationWarning
        dangerouslySetInnerHTML={{ __html: startScript }}
      />
    </>
  )
}

type Props = { rel?: string; type?: string; children?: ReactNode }

/** The same elements without preloads, and with the module script kept as text. */
function putOff(node: ReactNode): ReactNode {
  if (Array.isArray(node)) return node.map(putOff)
  if (!isValidElement(node)) return node
  const element = node as ReactElement<Props>
  const { rel, type, children } = element.props
  if (rel === 'modulepreload') return null
  if (type === 'module') return cloneElement(element, { type: 'text/plain', id: 'later' } as Props)
  if (element.type !== Fragment) return element
  return cloneElement(element, {}, ...(Array.isArray(children) ? children : [children]).map(putOff))
}
