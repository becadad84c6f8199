import { type Database, sql } from '@halles/kit/database'
import { createListener, type Listener } from '@halles/kit/listener'
import type { Logger } from '@halles/kit/logging'
import type { Changes } from '../ports.ts'

const channel = 'carts_changed'
// Stands for "anything may have changed".
const everything = '*'
// What PostgreSQL takes in one notification is 8,000 bytes; an id and its comma are 37.
const idsPerNotification = 200
// Beyond this it is cheaper for all to look again than to be told what to look at.
const maxPending = 5_000
// Gathers the changes of a busy moment: NOTIFY makes commits queue up, so it is kept out of them.
const gatherMs = 20
const retryMs = 1_000

const notify = sql(
  'carts.notify',
  'select pg_notify($1, ids) from unnest($2::text[]) as notifications (ids)',
)

/** Announces changes by NOTIFY, gathered and after the fact, so that no change waits for it. */
export function createChanges({ database, logger }: { database: Database; logger: Logger }) {
  let pending = new Set<string>()
  let timer: NodeJS.Timeout | undefined
  let sending: Promise<void> | undefined
  let isStopping = false

  function plan(delayMs: number): void {
    if (isStopping || sending || pending.size === 0) return
    timer ??= setTimeout(() => {
      timer = undefined
      sending = send()
    }, delayMs)
  }

  async function send(): Promise<void> {
    const batch = pending
    pending = new Set()
    let delayMs = gatherMs
    try {
      await database.run(notify, [channel, toPayloads([...batch])])
    } catch (error) {
      logger.warn({ error }, 'Changes of carts could not be announced; they will be, later.')
      for (const id of batch) add(id)
      delayMs = retryMs
    }
    sending = undefined
    plan(delayMs)
  }

  function add(id: string): void {
    if (pending.has(everything)) return
    if (pending.size >= maxPending) pending = new Set([everything])
    else pending.add(id)
  }

  return {
    name: 'announcements',
    announce(id: string) {
      add(id)
      plan(gatherMs)
    },
    async stop() {
      isStopping = true
      clearTimeout(timer)
      await sending
      if (pending.size > 0) await send()
    },
  } satisfies Changes & { name: string; stop(): Promise<void> }
}

function toPayloads(ids: readonly string[]): string[] {
  const payloads: string[] = []
  for (let start = 0; start < ids.length; start += idsPerNotification) {
    payloads.push(ids.slice(start, start + idsPerNotification).join(','))
  }
  return payloads
}

/** Hears what any process announced; undefined when anything may have changed. */
export function createChangesListener(options: {
  url: string
  logger: Logger
  onChange(ids: ReadonlySet<string> | undefined): void
}): Listener {
  const { url, logger, onChange } = options
  return createListener({
    url,
    channel,
    applicationName: 'carts',
    logger,
    onNotify: (payload) =>
      onChange(
        payload === undefined || payload === everything ? undefined : new Set(payload.split(',')),
      ),
  })
}
