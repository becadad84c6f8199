import type { NumberName, NumbersAt } from './numbers.ts'

const width = 300
const height = 56
const spanMs = 5 * 60_000
// Two pictures that did not come leave a gap, not a line that nobody measured.
const gapMs = 3_500

/** A number over the last five minutes, with its newest value in large. */
export function Sparkline({
  label,
  name,
  points,
  format,
}: {
  label: string
  name: NumberName
  points: readonly NumbersAt[]
  format: (value: number) => string
}) {
  const end = points.at(-1)?.atMs ?? 0
  const seen = points.flatMap(({ atMs, numbers }) => {
    const value = numbers[name]
    return value === undefined || atMs < end - spanMs ? [] : [{ atMs, value }]
  })
  const last = seen.at(-1)
  if (!last) return null
  const top = Math.max(...seen.map(({ value }) => value), 1e-9) * 1.1
  const path = seen
    .map(({ atMs, value }, index) => {
      const before = seen[index - 1]
      const isJoined = before !== undefined && atMs - before.atMs < gapMs
      const x = width - ((end - atMs) / spanMs) * width
      const y = height - (value / top) * (height - 2) - 1
      return `${isJoined ? 'L' : 'M'}${x.toFixed(1)} ${y.toFixed(1)}`
    })
    .join('')
  const highest = Math.max(...seen.map(({ value }) => value))
  return (
    <div className="spark">
      <dt>{label}</dt>
      <dd>
        <strong className="numeric">{format(last.value)}</strong>
        <span className="muted small numeric">↑ {format(highest)}</span>
        <svg
          viewBox={`0 0 ${width} ${height}`}
          width={width}
          height={height}
          aria-hidden="true"
          preserveAspectRatio="none"
        >
          <path className="spark-base" d={`M0 ${height - 0.5}H${width}`} />
          <path className="spark-line" d={path} />
        </svg>
      </dd>
    </div>
  )
}
