import { useEffect, useRef, useState } from 'react'
import { useConsoleText } from '../../text/console-text.ts'
import type { Scene } from './picture.ts'

/** What changed in state since the picture before, in sentences, for who listens to the page. */
export function useNews(scene: Scene): string {
  const { map } = useConsoleText()
  const [news, setNews] = useState('')
  const before = useRef<Scene | undefined>(undefined)
  useEffect(() => {
    if (scene.at === null) return
    const told = before.current ? changes(before.current, scene, map) : []
    before.current = scene
    if (told.length > 0) setNews(told.slice(0, 5).join(' '))
  }, [scene, map])
  return news
}

/** Only states: numbers change each second. */
export function changes(
  before: Scene,
  now: Scene,
  map: ReturnType<typeof useConsoleText>['map'],
): string[] {
  const known = new Map(
    before.parts.flatMap(({ lamps }) => lamps.map(({ id, state }) => [id, state])),
  )
  const lamps = new Map(now.parts.flatMap((part) => part.lamps.map((lamp) => [lamp.id, lamp])))
  const breakers = new Map(before.arrows.map(({ id, breaker }) => [id, breaker]))
  return [
    ...[...lamps.values()]
      .filter(({ id, state }) => known.get(id) !== state)
      .map(({ id, state }) => map.news.state(id, map.states[state])),
    ...now.arrows
      .filter(({ id, breaker }) => breaker && breakers.get(id) && breakers.get(id) !== breaker)
      .map(({ from, to, breaker }) =>
        map.news.breaker(from, to, map.breakers[breaker ?? 'closed']),
      ),
    ...(now.deadLetters !== null && (before.deadLetters ?? 0) < now.deadLetters
      ? [map.news.dead(now.deadLetters)]
      : []),
  ]
}
