import { useEffect } from 'react'
import { type LoaderFunctionArgs, useLoaderData, useRevalidator } from 'react-router'
import { Breadcrumbs } from '../../design/Breadcrumbs.tsx'
import { ButtonLink } from '../../design/Button.tsx'
import { Notice } from '../../design/Notice.tsx'
import { Table } from '../../design/Table.tsx'
import { useHydrated } from '../../design/use-hydrated.ts'
import { useOfficeText } from '../../text/office-text.ts'
import { PageHead } from './bits.tsx'
import { idOf, openOffice } from './office.server.ts'

export async function loader(args: LoaderFunctionArgs) {
  const { page } = await openOffice(args, ['products:write'])
  const importId = idOf(args, 'importId')
  const { data } = await page.call('getImport', { params: { importId } })
  return { job: data }
}

// Often enough to see it move; an import of ten thousand products takes half a minute.
const lookEveryMs = 1_000

type Job = Awaited<ReturnType<typeof loader>>['job']

export default function Import() {
  const { job } = useLoaderData<typeof loader>()
  const text = useOfficeText()
  const hasScripts = useHydrated()
  const isRunning = job.status === 'running'
  useLookAgain(isRunning)
  return (
    <div className="stack">
      <Breadcrumbs
        label={text.trail}
        trail={[{ to: '/office/imports', label: text.imports }, { label: text.import }]}
      />
      <PageHead title={text.importStatus[job.status]} />
      {job.problem && <Notice tone="bad">{job.problem}</Notice>}
      <div className="panel stack">
        <progress
          className="office-progress"
          aria-label={text.import}
          max={Math.max(1, job.total)}
          value={isRunning ? job.done : Math.max(1, job.total)}
        />
        <p role="status">{isRunning ? text.importing(job.done, job.total) : text.imported(job)}</p>
        {isRunning && !hasScripts && (
          <div>
            <ButtonLink look="quiet" to=".">
              {text.lookAgain}
            </ButtonLink>
          </div>
        )}
      </div>
      <dl className="office-figures">
        {(['created', 'updated', 'unchanged', 'rejectedTotal'] as const).map((name) => (
          <div key={name} className="panel">
            <dt>{text.importFigures[name]}</dt>
            <dd>{job[name]}</dd>
          </div>
        ))}
      </dl>
      {job.rejectedTotal > 0 && <Rejected job={job} />}
    </div>
  )
}

/** Reads the page again each second while the import runs and somebody looks. */
function useLookAgain(isRunning: boolean): void {
  const { revalidate, state } = useRevalidator()
  useEffect(() => {
    if (!isRunning || state !== 'idle') return
    const look = () => {
      if (document.visibilityState === 'visible') void revalidate()
    }
    const timer = setTimeout(look, lookEveryMs)
    document.addEventListener('visibilitychange', look)
    return () => {
      clearTimeout(timer)
      document.removeEventListener('visibilitychange', look)
    }
  }, [isRunning, revalidate, state])
}

function Rejected({ job }: { job: Job }) {
  const text = useOfficeText()
  const byReason = Object.entries(job.rejectedByReason as Record<string, number>)
  const reasons = byReason.filter(([, count]) => count > 0)
  return (
    <section className="stack">
      <h2>{text.rejected}</h2>
      <ul>
        {reasons.map(([reason, count]) => (
          <li key={reason}>
            <span className="numeric">{count}</span> × {text.rejections[reason] ?? reason}
          </li>
        ))}
      </ul>
      {job.rejected.length < job.rejectedTotal && (
        <p className="muted">{text.rejectedFirst(job.rejected.length)}</p>
      )}
      <Table caption={text.rejected} columns={[{ label: text.line }, { label: text.reason }]}>
        {job.rejected.map(({ line, reason }, index) => (
          <tr key={index}>
            <td className="numeric">{line}</td>
            <td>{reason}</td>
          </tr>
        ))}
      </Table>
    </section>
  )
}
