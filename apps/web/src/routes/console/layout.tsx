import { Form, Link, type LoaderFunctionArgs, Outlet } from 'react-router'
import { HallIcon } from '../../design/HallIcon.tsx'
import { ProblemPage } from '../../design/ProblemPage.tsx'
import { Tabs } from '../../design/Tabs.tsx'
import { pageOf } from '../../server/page.server.ts'
import { requireStaff } from '../../server/staff.server.ts'
import type { PageHandle } from '../../start.tsx'
import { useConsoleText } from '../../text/console-text.ts'
import './console.css'

export const handle: PageHandle = { startsNow: true }

export const meta = () => [
  { title: 'Console · Les Halles' },
  { name: 'robots', content: 'noindex' },
]

export async function loader(args: LoaderFunctionArgs) {
  const permissions = await requireStaff(pageOf(args), ['system:read'])
  return { mayAct: permissions.has('system:write') }
}

export default function ConsoleLayout() {
  const text = useConsoleText()
  return (
    <div className="console">
      <header className="console-head">
        <Link className="console-name" to="/console">
          <HallIcon />
          <span>{text.title}</span>
        </Link>
        <Tabs
          label={text.nav}
          tabs={[
            { to: '/console', label: text.overview },
            { to: '/console/dead-letters', label: text.work.deadLetters },
            { to: '/console/provider-events', label: text.work.providerEvents },
            { to: '/console/findings', label: text.work.findings },
            { to: '/console/unfinished', label: text.work.unfinished },
            { to: '/console/replicas', label: text.work.replicas },
          ]}
        />
        <div className="row console-foot">
          <Link to="/office" reloadDocument>
            {text.office}
          </Link>
          <Link to="/" reloadDocument>
            {text.shop}
          </Link>
          <Form method="post" action="/sign-out" reloadDocument>
            <button className="console-plain" type="submit">
              {text.signOut}
            </button>
          </Form>
        </div>
      </header>
      <main id="content" className="console-main">
        <Outlet />
      </main>
    </div>
  )
}

export function ErrorBoundary({ error }: { error: unknown }) {
  return <ProblemPage error={error} />
}
