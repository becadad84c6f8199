import type { SystemArchitecture, SystemPicture } from '@halles/contracts/gen/http/gateway'

export type Breaker = NonNullable<SystemPicture['arrows'][number]['breaker']>
export type ArrowKind = SystemArchitecture['edges'][number]['kind'] | 'shared'

export type Arrow = {
  id: string
  from: string
  to: string
  kind: ArrowKind
  /** Undefined where nobody counts. */
  perSecond?: number
  failuresPerSecond?: number
  breaker?: Breaker
  /** Whether it is how a provider tells its news, by the way that everybody comes. */
  isWebhook?: boolean
}

const idOf = (from: string, to: string, kind: string) => `${from}>${to}:${kind}`

/** @param recent the last pictures, newest last. */
export function toArrows(
  architecture: SystemArchitecture,
  recent: readonly SystemPicture[],
  { hasCache }: { hasCache: boolean },
): Arrow[] {
  return [
    ...countArrows(architecture, recent),
    ...toWebhooks(architecture),
    ...(hasCache ? [toSharedCache(recent.at(-1))] : []),
  ]
}

/** The ways that the contracts tell of, with what went along them. */
function countArrows({ edges }: SystemArchitecture, recent: readonly SystemPicture[]): Arrow[] {
  const arrows = new Map<string, Arrow>()
  for (const { from, to, kind } of edges) {
    const id = idOf(from, to, kind)
    arrows.set(id, { id, from, to, kind })
  }
  const newest = recent.at(-1)
  for (const { from, to, kind, breaker } of newest?.arrows ?? []) {
    const id = idOf(from, to, kind)
    const same = recent.map(({ arrows: all }) =>
      all.find((each) => each.from === from && each.to === to && each.kind === kind),
    )
    const mean = (key: 'perSecond' | 'failuresPerSecond') =>
      same.reduce((total, each) => total + (each?.[key] ?? 0), 0) / recent.length
    arrows.set(id, {
      ...{ id, from, to, kind },
      perSecond: mean('perSecond'),
      failuresPerSecond: mean('failuresPerSecond'),
      ...(breaker !== undefined && { breaker }),
    })
  }
  return [...arrows.values()]
}

/** Who is asked outside answers later, too. The gateways count what comes in as one. */
function toWebhooks({ nodes }: SystemArchitecture): Arrow[] {
  const kind = 'https'
  return nodes
    .filter((node) => node.kind === 'provider')
    .map(({ id: from }) => ({
      ...{ id: idOf(from, 'balancer', kind), from, to: 'balancer', kind },
      isWebhook: true,
    }))
}

function toSharedCache(picture: SystemPicture | undefined): Arrow {
  const perSecond = picture?.cache.sharedHitsPerSecond ?? 0
  return {
    id: idOf('gateway', 'redis', 'shared'),
    from: 'gateway',
    to: 'redis',
    kind: 'shared',
    perSecond,
  }
}
