import { useMemo } from 'react'
import { useConsoleText } from '../../text/console-text.ts'
import { MapArrow, MapArrowLabel } from './MapArrow.tsx'
import { DeadLetterLane, MapLane } from './MapLane.tsx'
import { MapLegend } from './MapLegend.tsx'
import { MapPart } from './MapPart.tsx'
import { deadLetters, layOut, rank } from './map-layout.ts'
import type { Scene } from './picture.ts'
import './map.css'

/** The architecture as it lives. */
export function ArchitectureMap({
  scene,
  chosen,
  onChoose,
}: {
  scene: Scene
  chosen: string | null
  onChoose: (partId: string) => void
}) {
  const text = useConsoleText()
  const { parts, arrows } = scene
  const shape = JSON.stringify([
    parts.map(({ id, kind }) => ({ id, kind })),
    arrows.map(({ id, from, to, kind }) => ({ id, from, to, kind })),
  ])
  const map = useMemo(() => layOut(...(JSON.parse(shape) as Parameters<typeof layOut>)), [shape])
  const balancer = map.places.get('balancer')
  const dead = map.places.get(deadLetters)
  const drawn = arrows.flatMap((arrow) => {
    const route = map.routes.get(arrow.id)
    const isFaded = chosen !== null && chosen !== arrow.from && chosen !== arrow.to
    return route ? [{ arrow, route, isFaded }] : []
  })
  const isLane = (kind: string) => kind === 'queue' || kind === 'topic'
  return (
    <svg
      className="map"
      viewBox={`0 0 ${map.width} ${map.height}`}
      preserveAspectRatio="xMidYMin meet"
    >
      <title>{text.map.title}</title>
      <defs>
        <pattern id="hatch" width="12" height="12" patternUnits="userSpaceOnUse">
          <path className="map-hatch" d="M-3 3l6-6M0 12L12 0M9 15l6-6" />
        </pattern>
        <pattern id="pile" width="10" height="32" patternUnits="userSpaceOnUse">
          <rect className="map-pile-mark" x="1" y="5" width="6" height="22" rx="2" />
        </pattern>
      </defs>
      <MapLegend x={8} y={rank.gateway.y + rank.gateway.height + 42} />
      {parts.map((part) => {
        const place = map.places.get(part.id)
        if (!place || !isLane(part.kind)) return null
        const isChosen = chosen === part.id
        return (
          <MapLane
            key={part.id}
            {...{ part, place, isChosen, onChoose, arrows }}
            routes={map.routes}
          />
        )
      })}
      {dead && <DeadLetterLane place={dead} count={scene.deadLetters} />}
      {drawn.map((arrow) => (
        <MapArrow key={arrow.arrow.id} {...arrow} />
      ))}
      {parts.map((part) => {
        const place = map.places.get(part.id)
        if (!place || isLane(part.kind)) return null
        const isChosen = chosen === part.id
        return <MapPart key={part.id} {...{ part, place, isChosen, onChoose, balancer }} />
      })}
      {drawn.map((arrow) => (
        <MapArrowLabel key={arrow.arrow.id} {...arrow} />
      ))}
    </svg>
  )
}
