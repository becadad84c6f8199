import { useEffect, useRef } from 'react'
import { Badge } from '../../design/Badge.tsx'
import { useConsoleText } from '../../text/console-text.ts'
import { joinPoints, mergePoints, type NumbersAt, numberNames } from './numbers.ts'
import { PartActions } from './PartActions.tsx'
import type { PartRecord } from './part.ts'
import { usePartWords } from './part-words.ts'
import type { Lamp, Part } from './picture.ts'
import { Sparkline } from './Sparkline.tsx'
import { isService, useRecord } from './use-part.ts'

/** A part from near: its numbers over time, its instances, its last errors, and what may be tried. */
export function PartPanel({
  part,
  history,
  isLocal,
  mayAct,
  onClose,
}: {
  part: Part
  history: readonly NumbersAt[]
  isLocal: boolean
  mayAct: boolean
  onClose: () => void
}) {
  const text = useConsoleText().map
  const words = usePartWords()
  const record = useRecord(part)
  const heading = useRef<HTMLHeadingElement>(null)
  const { id } = part
  useEffect(() => {
    if (id !== '') heading.current?.focus()
  }, [id])
  const points = joinPoints(mergePoints(record?.points ?? []), history)
  const trouble = words.trouble(part)
  return (
    <aside
      className="part-panel"
      aria-labelledby="part-name"
      onKeyDown={(event) => {
        const isInDialog = (event.target as Element).closest('dialog') !== null
        if (event.key === 'Escape' && !isInDialog) onClose()
      }}
    >
      <div className="row part-head">
        <h2 id="part-name" ref={heading} tabIndex={-1}>
          {words.nameOf(part)}
        </h2>
        <span className="muted">{text.kinds[part.kind]}</span>
        {part.wellness !== 'unknown' && (
          <Badge tone={tones[part.wellness]}>{trouble ?? text.states.ready}</Badge>
        )}
        <button
          className="part-close"
          type="button"
          onClick={onClose}
          aria-label={text.panel.close}
        >
          ×
        </button>
      </div>
      <PartActions part={part} isLocal={isLocal} mayAct={mayAct} />
      <Curves points={points} />
      <Lags part={part} />
      <Instances lamps={part.lamps} />
      {isService(part) && <Errors record={record} />}
    </aside>
  )
}

const tones = { well: 'good', strained: 'warn', down: 'bad' } as const
function Curves({ points }: { points: readonly NumbersAt[] }) {
  const { panel, ...text } = useConsoleText().map
  const shown = numberNames.filter((name) => points.some(({ numbers }) => name in numbers))
  return (
    <section className="stack">
      <h3>{panel.lastMinutes}</h3>
      {shown.length === 0 ? (
        <p className="muted">{panel.noNumbers}</p>
      ) : (
        <dl className="sparks">
          {shown.map((name) => (
            <Sparkline
              key={name}
              label={panel.numbers[name]}
              {...{ name, points }}
              format={text.number}
            />
          ))}
        </dl>
      )}
    </section>
  )
}

function Lags({ part: { lags, outbox } }: { part: Part }) {
  const { panel, behind, outboxWaits } = useConsoleText().map
  if (!outbox && (!lags || lags.length === 0)) return null
  return (
    <section className="stack">
      {outbox && <p>{outboxWaits(outbox.waiting, outbox.oldestSeconds)}</p>}
      {lags && lags.length > 0 && (
        <>
          <h3>{panel.consumers}</h3>
          <ul className="part-list">
            {lags.map(({ name, lag }) => (
              <li key={name}>
                <span>{name}</span> <strong className="numeric">{behind(lag)}</strong>
              </li>
            ))}
          </ul>
        </>
      )}
    </section>
  )
}

function Instances({ lamps }: { lamps: readonly Lamp[] }) {
  const text = useConsoleText().map
  const { panel } = text
  if (lamps.length === 0) return null
  return (
    <section className="stack">
      <h3>{text.instances}</h3>
      <ul className="part-list">
        {lamps.map(({ id, state, pid, memoryBytes, cpuPercent, restarts, slowedByMs }) => (
          <li key={id}>
            <span className="row">
              <strong>{id}</strong>
              <Badge tone={state === 'ready' ? 'good' : 'bad'}>{text.states[state]}</Badge>
            </span>
            <span className="muted small numeric">
              {[
                pid !== undefined && `pid ${pid}`,
                memoryBytes !== undefined && `${Math.round(memoryBytes / 1024 / 1024)} MB`,
                cpuPercent !== undefined && `${panel.cpu} ${Math.round(cpuPercent)} %`,
                restarts !== undefined && restarts > 0 && `${panel.restarts}: ${restarts}`,
                slowedByMs > 0 && text.slowBy(slowedByMs),
              ]
                .filter((fact) => fact !== false)
                .join(' · ')}
            </span>
          </li>
        ))}
      </ul>
    </section>
  )
}

function Errors({ record }: { record: PartRecord | undefined }) {
  const { panel, rate } = useConsoleText().map
  const problems = record?.problems
  return (
    <section className="stack">
      <h3>{panel.lastErrors}</h3>
      {problems === null && <p className="muted">{panel.errorsUnknown}</p>}
      {problems?.length === 0 && <p className="muted">{panel.noErrors}</p>}
      {problems && problems.length > 0 && (
        <ol className="part-list">
          {problems.map(({ at, level, code, message, instance }) => (
            <li key={`${at} ${instance} ${message}`}>
              <span className="row small">
                <Badge tone={level === 'warn' ? 'warn' : 'bad'}>{code ?? level}</Badge>
                <time dateTime={at} className="numeric">
                  {at.slice(11, 19)}
                </time>
                <span className="muted">{instance}</span>
              </span>
              <span>{message}</span>
            </li>
          ))}
        </ol>
      )}
      {record && record.routes.length > 0 && (
        <>
          <h3>{panel.routes}</h3>
          <ul className="part-list">
            {record.routes.map((route) => (
              <li key={route.route} className="part-route">
                <code>{route.route}</code>{' '}
                <strong className="numeric">{rate(route.perSecond)}</strong>
              </li>
            ))}
          </ul>
        </>
      )}
    </section>
  )
}
