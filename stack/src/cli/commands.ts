import type { Command } from './command.ts'
import { deadLettersDiscard } from './dead-letters-discard.ts'
import { deadLettersList } from './dead-letters-list.ts'
import { deadLettersReplay } from './dead-letters-replay.ts'
import { deadLettersShow } from './dead-letters-show.ts'
import { freeze, kill, start, stop, thaw } from './part-verbs.ts'
import { processes } from './processes.ts'
import { reconcile } from './reconcile.ts'
import { restart } from './restart.ts'
import { scale } from './scale.ts'
import { slow } from './slow.ts'
import { status } from './status.ts'
import { topicsRebuild } from './topics-rebuild.ts'

/** Every command of `halles`, in the order in which the help names them. */
export const commands: readonly Command[] = [
  status,
  deadLettersList,
  deadLettersShow,
  deadLettersReplay,
  deadLettersDiscard,
  topicsRebuild,
  reconcile,
  processes,
  scale,
  restart,
  start,
  stop,
  kill,
  freeze,
  thaw,
  slow,
]
