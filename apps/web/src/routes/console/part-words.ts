import { useMemo } from 'react'
import type { ConsoleText } from '../../text/console/en.ts'
import { useConsoleText } from '../../text/console-text.ts'
import type { Part } from './picture.ts'

/** What is said of a part, in the page's language. */
export function usePartWords() {
  const text = useConsoleText()
  return useMemo(() => partWords(text), [text])
}

export function partWords({ map }: ConsoleText) {
  const nameOf = ({ id, kind, name }: Part): string => {
    if (kind === 'client' || kind === 'balancer') return map.names[kind]
    return kind === 'provider' ? `${id.slice(0, 1).toUpperCase()}${id.slice(1)}` : name
  }

  /** What is wrong, in a few words; undefined when all is well. */
  const trouble = ({ lamps, wellness, slowedByMs }: Part): string | undefined => {
    if (wellness === 'unknown' || wellness === 'well') return undefined
    const ready = lamps.filter(({ state }) => state === 'ready').length
    const first = lamps.find(({ state }) => state !== 'ready')
    if (ready === 0 && first) return map.states[first.state]
    if (first) return map.someReady(ready, lamps.length)
    return map.slowBy(slowedByMs)
  }

  /** The second line in a part's box. */
  const brief = (part: Part): string => {
    const bad = trouble(part)
    if (bad !== undefined) return bad
    const { kind, runsAs, p95Ms } = part
    if (kind === 'balancer') return runsAs === undefined ? map.sharedPort : 'HAProxy'
    if (kind === 'provider') return runsAs === undefined ? '' : map.sandbox
    if (kind === 'app') return map.pages
    if (kind === 'cache') return map.sharedCache
    return p95Ms === undefined ? '' : map.time(p95Ms)
  }

  /** All of it in a sentence, for who cannot see the picture. */
  const summary = (part: Part): string => {
    const { kind, lamps, pool, queue, lags, outbox } = part
    const ready = lamps.filter(({ state }) => state === 'ready').length
    const facts = [
      `${nameOf(part)}, ${map.kinds[kind]}`,
      trouble(part) ?? (lamps.length > 0 ? map.states.ready : ''),
      lamps.length > 1 ? map.someReady(ready, lamps.length) : '',
      pool ? map.poolBusy(pool.busy, pool.size) : '',
      queue ? map.behind(queue.waiting) : '',
      ...(lags ?? []).map(({ name, lag }) => `${name}: ${map.behind(lag)}`),
      outbox && outbox.waiting > 0 ? map.outboxWaits(outbox.waiting, outbox.oldestSeconds) : '',
    ]
    return facts.filter((fact) => fact !== '').join(', ')
  }

  return { nameOf, trouble, brief, summary }
}
