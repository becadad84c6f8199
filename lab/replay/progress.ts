export type Progress = {
  add(units: number): void
  /** Ends the stage and says how long it took. */
  end(): void
}

type Out = Pick<NodeJS.WriteStream, 'write'> & { isTTY?: boolean }

const barWidth = 30
const redrawMs = 100
// Enough to see that it goes on, few enough for a log.
const linePauseMs = 5_000

/** A bar with rate and remaining time on a terminal, now and then a line elsewhere. */
export function createProgress(
  stage: { title: string; total: number; unit: string },
  out: Out = process.stdout,
): Progress {
  const { title, total, unit } = stage
  const startedAtMs = performance.now()
  let shownAtMs = startedAtMs
  let done = 0

  function show(): void {
    const seconds = Math.max(0.001, (performance.now() - startedAtMs) / 1_000)
    const rate = done / seconds
    const left = rate > 0 ? toClock((total - done) / rate) : '–'
    const words = `${count(done)} of ${count(total)} ${unit}, ${count(rate)} a second, ${left} left`
    if (!out.isTTY) {
      out.write(`${title}: ${words}\n`)
      return
    }
    const filled = total > 0 ? Math.round((done / total) * barWidth) : barWidth
    const bar = '█'.repeat(filled) + '░'.repeat(barWidth - filled)
    out.write(`\r\u001b[2K${title} ${bar} ${words}`)
  }

  return {
    add(units) {
      done = Math.min(total, done + units)
      if (performance.now() - shownAtMs < (out.isTTY ? redrawMs : linePauseMs)) return
      shownAtMs = performance.now()
      show()
    },
    end() {
      const seconds = (performance.now() - startedAtMs) / 1_000
      const start = out.isTTY ? '\r\u001b[2K' : ''
      out.write(`${start}${title}: ${count(done)} ${unit} in ${seconds.toFixed(1)} s\n`)
    },
  }
}

function toClock(seconds: number): string {
  const whole = Math.ceil(seconds)
  const minutes = Math.floor(whole / 60)
  return `${minutes}:${String(whole % 60).padStart(2, '0')}`
}

function count(value: number): string {
  return Math.round(value).toLocaleString('en')
}
