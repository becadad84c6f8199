import type { Import } from '@halles/contracts/gen/http/products'

export type Progress = { show(state: Import): void; end(): void }

const barWidth = 30
// Enough to see that it goes on, few enough for a log.
const linePauseMs = 2_000

/** A bar on a terminal, now and then a line elsewhere. */
export function createProgress(name: string, out: NodeJS.WriteStream): Progress {
  let lastLineAtMs = Number.NEGATIVE_INFINITY
  let hasBar = false
  return {
    show({ done, total, status, format }) {
      const isRead = format !== null
      const words = isRead ? `${done} of ${total} products` : 'reading …'
      if (out.isTTY) {
        const share = total > 0 ? done / total : Number(status !== 'running')
        const filled = Math.round(share * barWidth)
        const bar = '█'.repeat(filled) + '░'.repeat(barWidth - filled)
        out.write(`\r\u001b[2K${name} ${bar} ${words}`)
        hasBar = true
      } else if (performance.now() - lastLineAtMs >= linePauseMs) {
        lastLineAtMs = performance.now()
        out.write(`${name}: ${words}\n`)
      }
    },
    end() {
      if (hasBar) out.write('\n')
    },
  }
}
