import { useEffect } from 'react'
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
import { Done } from './bits.tsx'
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
  useSearchKey()
  // What a role may not do is not offered. A page is added here and in pages.ts.
  const pages = [
    { to: '/office', label: text.dashboard, needs: undefined },
    { to: '/office/orders', label: text.orders, needs: 'orders:read' },
    { to: '/office/products', label: text.products, needs: 'products:read' },
    { to: '/office/prices', label: text.prices, needs: 'products:write' },
    { to: '/office/imports', label: text.imports, needs: 'products:write' },
    { to: '/office/customers', label: text.customers, needs: 'customers:read' },
    { to: '/office/staff', label: text.staff, needs: 'rbac:read' },
    { to: '/office/roles', label: text.roles, needs: 'rbac:read' },
    { to: '/office/audit', label: text.audit, needs: 'rbac:read' },
    { to: '/console', label: text.console, needs: 'system:read' },
  ].filter(({ needs }) => needs === undefined || permissions.includes(needs))
  return (
    <div className="office">
      <a className="skip" href="#content">
        {text.skip}
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
                <NavLink to={to} end={to === '/office'} prefetch="intent">
                  {label}
                </NavLink>
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
      <main id="content" className="office-main" tabIndex={-1}>
        <Done />
        <Outlet />
      </main>
    </div>
  )
}

/** `/` leads to the search of the page, as in most tools that people know. */
function useSearchKey(): void {
  useEffect(() => {
    const find = (event: KeyboardEvent) => {
      const isTyping =
        event.target instanceof HTMLElement && event.target.matches('input, textarea, select')
      if (event.key !== '/' || isTyping || event.ctrlKey || event.metaKey) return
      const field = document.querySelector<HTMLInputElement>('main input[type="search"]')
      if (!field) return
      event.preventDefault()
      field.select()
    }
    addEventListener('keydown', find)
    return () => removeEventListener('keydown', find)
  }, [])
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
