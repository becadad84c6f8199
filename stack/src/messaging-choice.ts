import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { AppError } from '@halles/kit/errors'
import { readJson, writeJson } from './files.ts'

/** Which kind of broker holds the messages of a data folder. */
export type MessagingChoice = { queues: 'embedded' | 'rabbitmq'; topics: 'embedded' | 'kafka' }

/** `isUsed`: a start with it came so far that messages may have been sent. */
type Recorded = MessagingChoice & { isUsed: boolean }

const embedded: Recorded = { queues: 'embedded', topics: 'embedded', isUsed: true }

const fileOf = (dataFolder: string) => join(dataFolder, 'messaging.json')

const wordsFor = ({ queues, topics }: MessagingChoice) =>
  queues === topics ? 'the embedded messaging' : `queues: ${queues}, topics: ${topics}`

/**
 * Throws an AppError when the folder's messages are in brokers of another kind: those that nobody
 * has consumed yet would stay behind there, and a change of password with them.
 */
export function checkChoice(dataFolder: string, choice: MessagingChoice): void {
  const recorded = readJson(fileOf(dataFolder)) as Recorded | undefined
  // A folder of the time before there was a choice.
  const isOld = recorded === undefined && existsSync(join(dataFolder, 'postgres.json'))
  const before = isOld ? embedded : recorded
  if (before?.isUsed !== true) {
    // A start that fails from here on binds nobody.
    writeJson(fileOf(dataFolder), { ...choice, isUsed: false } satisfies Recorded)
    return
  }
  if (before.queues === choice.queues && before.topics === choice.topics) return
  throw new AppError(
    'conflict',
    'MESSAGING_CHANGED',
    `${dataFolder} was used with other brokers (${wordsFor(before)}) than asked for now (${wordsFor(choice)}), and messages that wait there would be left behind. Start as before, ${hintFor(before)}, or use another folder: --data DIR.`,
  )
}

function hintFor({ queues, topics }: MessagingChoice): string {
  if (queues === 'rabbitmq' && topics === 'kafka') return 'with --brokers'
  if (queues === 'rabbitmq') return 'with AMQP_URL alone'
  if (topics === 'kafka') return 'with KAFKA_BROKERS alone'
  return 'without --brokers, AMQP_URL and KAFKA_BROKERS'
}

/** Remembers the choice, once the platform can send the first message. */
export function recordChoice(dataFolder: string, choice: MessagingChoice): void {
  writeJson(fileOf(dataFolder), { ...choice, isUsed: true } satisfies Recorded)
}
