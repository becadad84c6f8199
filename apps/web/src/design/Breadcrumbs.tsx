import { Link } from 'react-router'

/** Where a page lies; the last one is the page itself. */
export function Breadcrumbs({
  label,
  trail,
}: {
  label: string
  trail: readonly { to?: string; label: string }[]
}) {
  return (
    <nav className="crumbs" aria-label={label}>
      <ol className="crumbs-list">
        {trail.map(({ to, label: name }) => (
          <li key={name}>
            {to ? <Link to={to}>{name}</Link> : <span aria-current="page">{name}</span>}
          </li>
        ))}
      </ol>
    </nav>
  )
}
