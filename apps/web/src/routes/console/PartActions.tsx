import { useState } from 'react'
import { Button } from '../../design/Button.tsx'
import { Dialog } from '../../design/Dialog.tsx'
import { Field, Select } from '../../design/Field.tsx'
import { Notice } from '../../design/Notice.tsx'
import { useConsoleText } from '../../text/console-text.ts'
import { usePartWords } from './part-words.ts'
import type { Lamp, Part } from './picture.ts'
import { usePartAction } from './use-part.ts'

type ActionName = 'start' | 'stop' | 'kill' | 'freeze' | 'thaw' | 'slow' | 'restart' | 'scale'

/** The buttons of a part of a local stack; each says what it would do before it does it. */
export function PartActions({
  part,
  isLocal,
  mayAct,
}: {
  part: Part
  isLocal: boolean
  mayAct: boolean
}) {
  const { map, work } = useConsoleText()
  const { panel } = map
  const { nameOf } = usePartWords()
  const [asked, setAsked] = useState<ActionName | null>(null)
  const { isBusy, send, answer } = usePartAction(part.id)
  const runsAs = part.runsAs
  const why = whyNot({ isLocal, mayAct, isRun: runsAs !== undefined })
  if (why || runsAs === undefined) {
    return part.wellness === 'unknown' ? null : (
      <p className="muted small">{panel[why ?? 'notRunHere']}</p>
    )
  }
  return (
    <section className="stack part-actions" aria-label={panel.disturb}>
      <div className="row">
        {actionsFor(part).map((name) => (
          <Button
            key={name}
            type="button"
            {...(remedies.has(name) ? {} : { look: 'quiet' as const })}
            onClick={() => setAsked(name)}
          >
            {panel.actions[name]}
          </Button>
        ))}
      </div>
      {answer?.ok === true && (
        <Notice tone="good">
          {(answer.isDone ? panel.done : panel.underWay)(
            panel.actions[answer.action as ActionName],
            nameOf(part),
          )}
        </Notice>
      )}
      {answer?.ok === false && (
        <Notice tone="bad">{work.errors[answer.code] ?? work.errors.other}</Notice>
      )}
      <Dialog
        isOpen={asked !== null}
        onClose={() => setAsked(null)}
        title={asked === null ? '' : panel.asks[asked](runsAs)}
      >
        {asked !== null && (
          <form
            className="stack"
            onSubmit={(event) => {
              event.preventDefault()
              const { submitter } = event.nativeEvent as SubmitEvent
              void send(runsAs, new FormData(event.currentTarget, submitter)).then(() =>
                setAsked(null),
              )
            }}
          >
            <Confirmation part={part} runsAs={runsAs} action={asked} />
            <div className="row">
              <Button
                name="action"
                value={asked}
                {...(disturbing.has(asked) && { look: 'danger' as const })}
                disabled={isBusy}
              >
                {panel.actions[asked]}
              </Button>
              <Button type="button" look="quiet" onClick={() => setAsked(null)}>
                {panel.cancel}
              </Button>
            </div>
          </form>
        )}
      </Dialog>
    </section>
  )
}

const remedies = new Set<ActionName>(['start', 'thaw'])
const disturbing = new Set<ActionName>(['stop', 'kill', 'freeze'])

function whyNot(able: { isLocal: boolean; mayAct: boolean; isRun: boolean }) {
  if (!able.isLocal) return 'notLocal'
  if (!able.mayAct) return 'notAllowed'
  return able.isRun ? undefined : 'notRunHere'
}

/** Only what makes sense now. */
function actionsFor({ kind, lamps }: Part): ActionName[] {
  const isIn = (...states: Lamp['state'][]) => lamps.some(({ state }) => states.includes(state))
  const runs = isIn('ready', 'unhealthy', 'ejected', 'draining')
  const isService = kind === 'service' || kind === 'gateway' || kind === 'app'
  return [
    ...(isIn('stopped') ? (['start'] as const) : []),
    ...(isIn('frozen') ? (['thaw'] as const) : []),
    // Without the web server there would be no console to bring it back.
    ...(runs && kind !== 'app' ? (['stop', 'freeze'] as const) : []),
    ...(runs ? (['kill'] as const) : []),
    ...(runs && kind === 'service' ? (['slow'] as const) : []),
    ...(runs && isService ? (['restart', 'scale'] as const) : []),
  ]
}

/** What the action does, what shoppers notice, and what it needs to know. */
function Confirmation({
  part,
  runsAs,
  action,
}: {
  part: Part
  runsAs: string
  action: ActionName
}) {
  const { panel, states } = useConsoleText().map
  const [target, setTarget] = useState('')
  const { lamps } = part
  const isWhole = action === 'scale' || action === 'restart'
  const others = lamps.filter(
    ({ id, state }) => target !== '' && id !== target && state === 'ready',
  )
  const hurts = disturbing.has(action) || action === 'slow'
  return (
    <>
      <p>{panel.means[action]}</p>
      {lamps.length > 1 && !isWhole && (
        <Select
          label={panel.whom}
          name="target"
          value={target}
          onChange={(event) => setTarget(event.target.value)}
        >
          <option value="">{panel.allInstances}</option>
          {lamps.map(({ id, state }) => (
            <option key={id} value={id}>
              {id} ({states[state]})
            </option>
          ))}
        </Select>
      )}
      {action === 'slow' && (
        <Field
          label={panel.milliseconds}
          name="slowMs"
          type="number"
          min={0}
          max={60_000}
          step={50}
          defaultValue={part.slowedByMs > 0 ? 0 : 800}
          required
        />
      )}
      {action === 'scale' && (
        <Field
          label={panel.replicas}
          name="replicas"
          type="number"
          min={1}
          max={16}
          defaultValue={lamps.length + 1}
          required
        />
      )}
      {hurts && (
        <p>
          <strong>{panel.shoppers}:</strong>{' '}
          {others.length > 0
            ? panel.othersGoOn(others.length)
            : (panel.noticed[runsAs] ?? panel.noticedOther)}
        </p>
      )}
    </>
  )
}
