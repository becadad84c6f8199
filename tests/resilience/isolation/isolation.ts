import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { eventually } from '@halles/kit/testing'
import { toProblem } from '../../e2e/api.ts'
import type { Shop } from '../../e2e/shop.ts'
import { withTraffic } from '../../e2e/traffic.ts'
import { openShopWindow, type ShopWindow } from './catalogue.ts'
import { type CrowdQuestion, sendCrowd } from './crowd.ts'
import type { Breakable, Fault } from './faults.ts'
import { assertAway, openPages, type Page, type Service, tryPage, visitAll } from './pages.ts'
import { recovery, type Teller } from './stories.ts'
import { assertTrusted } from './ways.ts'

/** A row of the table "When X is down". */
export type Row = {
  /** X. */
  name: string
  /** What goes on, for titles. */
  goesOn: string
  /** Parts of the stack that the fault itself replaces. */
  parts: readonly string[]
  /** The services that cannot work without it. */
  breaks: readonly Service[]
  part: Breakable
  /** What many people ask of it at that moment. */
  crowd?: CrowdQuestion
  /** Only pages that may be asked for twice: what else was under way with it is lost. */
  areReadsAlone?: true
  /** Callers find out that nobody is there, and ask no more until it is back. */
  isProbed?: true
  story: Teller
}

export type Trials = {
  /** A test: the row in one of the faults. */
  endures(row: Row, fault: Fault, options?: { skip?: string | false }): void
}

// While a part is broken the other pages come round so often; where no crowd asks it, so often that
// time-outs towards it are over too.
const rounds = { withCrowd: 3, without: 30 }
// Of a crowd, until somebody of it gets to the part before the probes tell of the fault.
const crowdTries = 3

/** Opens the shop for all rows of a file; `prepare` does what the rows need besides. */
export function createTrials(
  shop: Shop,
  { isSkipped = false, prepare }: { isSkipped?: boolean; prepare?: () => Promise<void> } = {},
): Trials {
  let opened: Pick<Trial, 'pages' | 'window'> | undefined
  if (!isSkipped) {
    before(async () => {
      await shop.stack.start()
      await prepare?.()
      const window = await openShopWindow(shop)
      opened = { window, pages: await openPages(shop, window) }
    })
    after(() => shop.stack.stop())
  }
  return {
    endures(row, fault, { skip = false } = {}) {
      test(`${row.name}, ${fault.word}: ${row.goesOn}`, { skip }, async () => {
        assert.ok(opened, 'The shop has not been opened.')
        await endure({ ...opened, shop, row, fault })
      })
    },
  }
}

type Trial = {
  shop: Shop
  pages: readonly Page[]
  window: ShopWindow
  row: Row
  fault: Fault
}

async function endure(trial: Trial): Promise<void> {
  const { shop, pages, row, fault } = trial
  // A row that has failed must not be the reason why the next one does.
  await eventually(() => visitAll(pages.filter(({ isLong }) => !isLong)), recovery)
  const story = await row.story(shop, fault)
  if (row.breaks.includes('products')) await trial.window.dress()
  const kept = () => running(shop, fault.isReplaced ? row.parts : [])
  const before = kept()
  const others = pages.filter((page) => {
    return !isBroken(page, row) && (page.isRead || !row.areReadsAlone)
  })
  const short = others.filter(({ isLong }) => !isLong)
  const long = others.filter(({ isLong }) => isLong)
  const done: Round[] = []
  async function walk(): Promise<void> {
    const beganAtMs = performance.now()
    await visitAll(short)
    done.push({ beganAtMs })
  }
  let hasReached = true
  async function strike(work: () => Promise<boolean>): Promise<void> {
    const failures = await withTraffic(
      [{ name: 'a round of the other pages', work: walk }],
      () =>
        fault.strike(row.part, async () => {
          hasReached = await work()
        }),
      1,
    )
    assert.deepEqual(failures, [])
    await recover(trial)
  }
  await strike(async () => {
    const all = [meet(trial, done), visitAll(long), story.meanwhile()] as const
    return (await Promise.all(all))[0]
  })
  for (let tries = 1; !hasReached && tries < crowdTries; tries += 1) {
    await strike(() => meet(trial, done))
  }
  assert.ok(hasReached, 'Nobody of the crowd has reached the part.')
  await story.afterwards()
  assert.deepEqual(kept(), before, 'Another process than what was broken was replaced.')
}

/** A round of the other pages that is done. */
type Round = { beganAtMs: number }

const isBroken = ({ needs }: Page, { breaks }: Row) => needs.some((need) => breaks.includes(need))

/**
 * The crowd, the other pages and those of the part, while it is broken. Returns false when nobody of
 * the crowd got there.
 */
async function meet({ pages, row, fault }: Trial, done: readonly Round[]): Promise<boolean> {
  const sinceMs = performance.now()
  const doneSince = () => done.filter(({ beganAtMs }) => beganAtMs > sinceMs).length
  const crowd = row.crowd && sendCrowd(row.crowd, doneSince)
  const { isAway } = fault
  const [hasReached = true] = await Promise.all([
    crowd?.disperses(fault),
    eventually(() => doneSince() >= (crowd ? rounds.withCrowd : rounds.without), recovery),
    ...pages
      .filter((page) => isBroken(page, row) && !page.isLong)
      .map(async (page) => {
        const hasWorked = await tryPage(page)
        assert.ok(!(hasWorked && isAway), `${page.name} worked all the same.`)
      }),
  ])
  if (row.crowd && row.isProbed && isAway) await untilRefusedAtOnce(row.crowd)
  return hasReached
}

/** Whoever comes is turned away by who knows already: nothing is sent to the part. */
async function untilRefusedAtOnce({ ask }: CrowdQuestion): Promise<void> {
  await eventually(async () => {
    for (let count = 0; count < 20; count += 1) {
      const answer = await ask()
      assertAway(answer)
      assert.equal(toProblem(answer).code, 'UPSTREAM_UNAVAILABLE')
    }
  }, recovery)
}

/** Every page works, and what callers hold against the part is forgotten once they have asked it. */
async function recover({ shop, pages, row }: Trial): Promise<void> {
  await eventually(async () => {
    await visitAll(pages)
    await assertTrusted(shop.stack, row.breaks)
    const token = await shop.admin()
    const { breakers, instances, deadLetters } = await shop.api.ask('getSystem', { token })
    const open = breakers.filter(({ state }) => state !== 'closed')
    const away = instances.filter(({ state }) => state !== 'ready')
    assert.deepEqual([open, away, deadLetters], [[], [], 0])
  }, recovery)
}

function running({ stack }: Shop, except: readonly string[]) {
  return stack
    .processes()
    .filter(({ part }) => !except.includes(part))
    .map(({ instance, pid }) => [instance, pid])
}
