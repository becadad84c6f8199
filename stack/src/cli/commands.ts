import { backup } from './backup.ts'
import type { Command } from './command.ts'
import { createCompletion } from './completion.ts'
import { deadLettersDiscard } from './dead-letters-discard.ts'
import { deadLettersList } from './dead-letters-list.ts'
import { deadLettersReplay } from './dead-letters-replay.ts'
import { deadLettersShow } from './dead-letters-show.ts'
import { doctor } from './doctor.ts'
import { down } from './down.ts'
import { importFiles } from './import.ts'
import { logs } from './logs.ts'
import { freeze, kill, start, stop, thaw } from './part-verbs.ts'
import { processes } from './processes.ts'
import { reconcile } from './reconcile.ts'
import { restart } from './restart.ts'
import { restore } from './restore.ts'
import { rolesGrant, rolesList, rolesRevoke, rolesShow } from './roles.ts'
import { rotate } from './rotate.ts'
import { scale } from './scale.ts'
import { slow } from './slow.ts'
import { status } from './status.ts'
import { topicsRebuild } from './topics-rebuild.ts'
import { up } from './up.ts'

/** Every command of `halles`, in the order in which the help names them. */
export const commands: readonly Command[] = [
  up,
  down,
  status,
  logs,
  doctor,
  importFiles,
  rolesList,
  rolesShow,
  rolesGrant,
  rolesRevoke,
  deadLettersList,
  deadLettersShow,
  deadLettersReplay,
  deadLettersDiscard,
  topicsRebuild,
  reconcile,
  backup,
  restore,
  rotate,
  processes,
  scale,
  restart,
  start,
  stop,
  kill,
  freeze,
  thaw,
  slow,
  createCompletion(() => commands),
]
