import type { SystemArchitecture, SystemPicture } from '@halles/contracts/gen/http/gateway'
import { useEffect, useMemo, useReducer } from 'react'
import { type NumbersAt, numbersOf } from './numbers.ts'
import { recentPictures, type Scene, toScene } from './picture.ts'

export type Pictures = {
  scene: Scene
  /** By part, oldest first; what was seen since the page was opened. */
  history: ReadonlyMap<string, readonly NumbersAt[]>
  /** `lost` when the last picture is old. */
  link: 'opening' | 'live' | 'lost'
}

type State = {
  recent: readonly SystemPicture[]
  history: ReadonlyMap<string, readonly NumbersAt[]>
  link: Pictures['link']
}
type Change = { picture: SystemPicture; scene: Scene } | 'lost'

// Five minutes of seconds, as the API keeps them.
const keptPoints = 300
// Three pictures that did not come.
const lostAfterMs = 3_500
// A browser gives up on a refusal; then it is asked for anew, less and less often.
const firstRetryMs = 2_000
const longestRetryMs = 30_000

/** The system as the server's events tell it, for as long as the page is seen. */
export function usePictures(architecture: SystemArchitecture): Pictures {
  const [{ recent, history, link }, apply] = useReducer(next, {
    recent: [],
    history: new Map(),
    link: 'opening',
  })
  useEffect(
    () =>
      follow({
        onPicture: (picture) => apply({ picture, scene: toScene(architecture, [picture]) }),
        onLost: () => apply('lost'),
      }),
    [architecture],
  )
  const scene = useMemo(() => toScene(architecture, recent), [architecture, recent])
  return { scene, history, link }
}

function next(state: State, change: Change): State {
  if (change === 'lost') return { ...state, link: 'lost' }
  const { picture, scene } = change
  const atMs = Date.parse(picture.at)
  const history = new Map(
    scene.parts.map((part) => {
      const before = state.history.get(part.id) ?? []
      return [part.id, [...before.slice(1 - keptPoints), { atMs, numbers: numbersOf(part) }]]
    }),
  )
  return { recent: [...state.recent.slice(1 - recentPictures), picture], history, link: 'live' }
}

type Listener = { onPicture(picture: SystemPicture): void; onLost(): void }

/** Follows the stream while the page is visible; the returned function ends it. */
function follow({ onPicture, onLost }: Listener): () => void {
  let source: EventSource | undefined
  let retry: ReturnType<typeof setTimeout> | undefined
  let silence: ReturnType<typeof setTimeout> | undefined
  let waitMs = firstRetryMs

  function close() {
    source?.close()
    source = undefined
    clearTimeout(retry)
    clearTimeout(silence)
  }

  function reopenLater() {
    clearTimeout(retry)
    retry = setTimeout(open, waitMs)
    waitMs = Math.min(2 * waitMs, longestRetryMs)
  }

  // A gateway that stands still leaves its streams open and says nothing.
  function noteSilence() {
    onLost()
    reopenLater()
  }

  function open() {
    close()
    const current = new EventSource('/live/system')
    source = current
    silence = setTimeout(noteSilence, lostAfterMs)
    current.addEventListener('picture', ({ data }) => {
      waitMs = firstRetryMs
      clearTimeout(retry)
      clearTimeout(silence)
      silence = setTimeout(noteSilence, lostAfterMs)
      onPicture(JSON.parse(data) as SystemPicture)
    })
    current.addEventListener('error', () => {
      if (current.readyState === EventSource.CLOSED) reopenLater()
    })
  }

  const onVisibility = () => (document.visibilityState === 'visible' ? open() : close())
  document.addEventListener('visibilitychange', onVisibility)
  onVisibility()
  return () => {
    document.removeEventListener('visibilitychange', onVisibility)
    close()
  }
}
