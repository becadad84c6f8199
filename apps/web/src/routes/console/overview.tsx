import { useRef, useState } from 'react'
import {
  Link,
  type LoaderFunctionArgs,
  type ShouldRevalidateFunction,
  useLoaderData,
  useSearchParams,
} from 'react-router'
import { Button } from '../../design/Button.tsx'
import { useHydrated } from '../../design/use-hydrated.ts'
import { pageOf } from '../../server/page.server.ts'
import { requireStaff } from '../../server/staff.server.ts'
import { useConsoleText } from '../../text/console-text.ts'
import { ArchitectureMap } from './ArchitectureMap.tsx'
import { FactsTables } from './FactsTable.tsx'
import { PartPanel } from './PartPanel.tsx'
import { PartsList } from './PartsList.tsx'
import { useNews } from './use-news.ts'
import { type Pictures, usePictures } from './use-pictures.ts'

export async function loader(args: LoaderFunctionArgs) {
  const page = pageOf(args)
  const permissions = await requireStaff(page, ['system:read'])
  const { data: architecture } = await page.call('getArchitecture', {})
  return { architecture, mayAct: permissions.has('system:write') }
}

// Whatever changes comes with the pictures.
export const shouldRevalidate: ShouldRevalidateFunction = () => false

export default function Overview() {
  const { architecture, mayAct } = useLoaderData<typeof loader>()
  const text = useConsoleText()
  const pictures = usePictures(architecture)
  const { scene, history } = pictures
  const news = useNews(scene)
  const [chosen, setChosen] = useState<string | null>(null)
  const [search] = useSearchParams()
  const frame = useRef<HTMLDivElement>(null)
  const part = scene.parts.find(({ id }) => id === chosen)
  const isPresented = search.has('present')
  const close = () => {
    setChosen(null)
    // Back to where it was chosen: in the picture, or in the list of a narrow screen.
    const places = frame.current?.querySelectorAll<HTMLElement | SVGElement>(
      `.map [data-part="${chosen}"] .map-hit, button[data-part="${chosen}"]`,
    )
    for (const place of places ?? []) if (place.checkVisibility()) place.focus()
  }
  return (
    <div
      ref={frame}
      className="living"
      data-link={pictures.link}
      data-present={isPresented || undefined}
      data-panel={part !== undefined || undefined}
    >
      <div className="living-head">
        <h1>{text.map.title}</h1>
        <LinkState pictures={pictures} />
        {isPresented ? <PresentButtons /> : <Link to="?present">{text.present}</Link>}
      </div>
      <div className="living-picture">
        <ArchitectureMap scene={scene} chosen={part?.id ?? null} onChoose={setChosen} />
        <PartsList scene={scene} chosen={part?.id ?? null} onChoose={setChosen} />
      </div>
      {part && (
        <PartPanel
          part={part}
          history={history.get(part.id) ?? []}
          isLocal={scene.isLocal}
          mayAct={mayAct}
          onClose={close}
        />
      )}
      <details className="living-facts">
        <summary>{text.map.table}</summary>
        <FactsTables scene={scene} />
      </details>
      <p className="visually-hidden" role="status">
        {news}
      </p>
    </div>
  )
}

/** Whether what is seen is of now. */
function LinkState({ pictures: { scene, link } }: { pictures: Pictures }) {
  const { map } = useConsoleText()
  const words = {
    opening: map.opening,
    live: map.live,
    lost: scene.at === null ? map.lostAtOnce : map.lost(scene.at.slice(11, 19)),
  }
  return (
    <p className="living-link" data-link={link} role="status">
      {words[link]}
      <noscript> {map.needsScripts}</noscript>
    </p>
  )
}

function PresentButtons() {
  const { map } = useConsoleText()
  const isHydrated = useHydrated()
  return (
    <div className="row">
      {isHydrated && document.fullscreenEnabled && (
        <Button
          type="button"
          look="quiet"
          onClick={() => void document.documentElement.requestFullscreen()}
        >
          {map.enterFull}
        </Button>
      )}
      <Link to="/console">{map.leavePresent}</Link>
    </div>
  )
}
