import {
  Form,
  Link,
  type LoaderFunctionArgs,
  NavLink,
  Outlet,
  useLoaderData,
  useLocation,
} from 'react-router'
import { HallIcon } from '../../design/HallIcon.tsx'
import { ProblemPage } from '../../design/ProblemPage.tsx'
import { pageOf } from '../../server/page.server.ts'
import { officePermissions, requireStaff } from '../../server/staff.server.ts'
import type { PageHandle } from '../../start.tsx'
import { useOfficeText } from '../../text/office-text.ts'
import { useLanguage } from '../../text/use-language.ts'
import './office.css'

export const handle: PageHandle = { startsNow: true }

export const meta = () => [{ title: 'Office · Les Halles' }, { name: 'robots', content: 'noindex' }]

export async function loader(args: LoaderFunctionArgs) {
  const page = pageOf(args)
  const permissions = await requireStaff(page, officePermissions)
  return { permissions: [...permissions], name: page.visit.session?.secrets.name ?? '' }
}

export default function OfficeLayout() {
  const { permissions, name } = useLoaderData<typeof loader>()
  const text = useOfficeText()
  // What a role may not do is not offered. A page is added here and in routes.ts.
  const pages = [
    { to: '/office/products', label: text.products, needs: 'products:write' },
    { to: '/console', label: text.console, needs: 'system:read' },
  ].filter(({ needs }) => permissions.includes(needs))
  return (
    <div className="office">
      <a className="skip" href="#content">
        {text.title}
      </a>
      <header className="office-side">
        <Link className="office-name" to="/office">
          <HallIcon />
          <span>{text.title}</span>
        </Link>
        <nav aria-label={text.nav}>
          <ul className="office-nav">
            {pages.map(({ to, label }) => (
              <li key={to}>
                <NavLink to={to}>{label}</NavLink>
              </li>
            ))}
          </ul>
        </nav>
        <div className="office-foot">
          <p className="small">{name}</p>
          <LanguageChoice />
          <Form method="post" action="/sign-out" reloadDocument>
            <button className="office-plain" type="submit">
              {text.signOut}
            </button>
          </Form>
          <Link to="/" reloadDocument>
            {text.shop}
          </Link>
        </div>
      </header>
      <main id="content" className="office-main">
        <Outlet />
      </main>
    </div>
  )
}

function LanguageChoice() {
  const language = useLanguage()
  const { pathname } = useLocation()
  const other = language === 'en' ? 'fr' : 'en'
  return (
    <Form method="post" action="/language" reloadDocument>
      <input type="hidden" name="next" value={pathname} />
      <button className="office-plain" name="language" value={other} type="submit" lang={other}>
        {other === 'fr' ? 'Français' : 'English'}
      </button>
    </Form>
  )
}

export function ErrorBoundary({ error }: { error: unknown }) {
  return <ProblemPage error={error} />
}
