import type { ReactNode } from 'react'

/** A table that scrolls by itself where the screen is narrow. Rows are its children. */
export function Table({
  caption,
  columns,
  children,
}: {
  /** For screen readers. */
  caption: string
  columns: readonly { label: string; isNumeric?: boolean }[]
  children: ReactNode
}) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard.
    <section className="table-frame" aria-label={caption} tabIndex={0}>
      <table className="table">
        <caption className="visually-hidden">{caption}</caption>
        <thead>
          <tr>
            {columns.map(({ label, isNumeric }) => (
              <th key={label} scope="col" className={isNumeric ? 'end' : undefined}>
                {label}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>{children}</tbody>
      </table>
    </section>
  )
}
