import { join } from 'node:path'
import { AppError } from '@halles/kit/errors'
import { type BrokerAddresses, checkAnswers, givenAddresses } from './brokers/given.ts'
import type { BrokerName } from './brokers/install.ts'
import type { KeptBroker } from './brokers/kept-broker.ts'
import { type BrokersOptions, openBrokers, readAddresses } from './brokers.ts'
import type { MessagingChoice } from './messaging-choice.ts'

/** Which brokers a start uses: those that the environment gives, and local ones when asked for. */
export type BrokersWanted = {
  given: BrokerAddresses
  /** Those that are not given run here. */
  areLocal: boolean
  env: Readonly<Record<string, string | undefined>>
}

/** What the stack needs of its brokers. */
export type StackBrokers = {
  addresses: BrokerAddresses
  /** How to sign in to a Kafka that is given: settings of the services. */
  kafkaAccess: Readonly<Record<string, string>>
  kept: ReadonlyMap<BrokerName, KeptBroker>
  stop(): Promise<void>
}

/** Reads what is wanted from the environment and from `--brokers`. */
export function readWanted(env: BrokersWanted['env'], areLocal: boolean): BrokersWanted {
  const { amqpUrl, kafkaBrokers, redisUrl } = givenAddresses(env)
  return {
    given: {
      ...(amqpUrl ? { amqpUrl } : {}),
      ...(kafkaBrokers ? { kafkaBrokers } : {}),
      ...(redisUrl ? { redisUrl } : {}),
    },
    areLocal,
    env,
  }
}

/** Where queues and topics are kept with these brokers. */
export function choiceOf({ given, areLocal }: BrokersWanted): MessagingChoice {
  return {
    queues: areLocal || given.amqpUrl ? 'rabbitmq' : 'embedded',
    topics: areLocal || given.kafkaBrokers ? 'kafka' : 'embedded',
  }
}

type Context = Pick<BrokersOptions, 'dataFolder' | 'logs' | 'report' | 'onChange'>

/** Starts the local brokers, or takes those that `npm run brokers` runs on the same folder. */
export async function openStackBrokers(
  { given, areLocal, env }: BrokersWanted,
  context: Context,
  signal: AbortSignal,
): Promise<StackBrokers> {
  const kafkaAccess = given.kafkaBrokers ? accessOf(env) : {}
  const elsewhere = { kafkaAccess, kept: new Map(), stop: async () => undefined }
  if (!areLocal) {
    await checkAnswers(given, env)
    return { ...elsewhere, addresses: given }
  }
  const names = ['rabbitmq', 'kafka', 'redis'] as const
  try {
    const options = { ...context, names, given, env, isTemporary: false }
    return { ...(await openBrokers(options, signal)), kafkaAccess }
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== 'BROKERS_RUNNING') throw error
  }
  const addresses = { ...readAddresses(context.dataFolder), ...given }
  await checkAnswers(addresses, env)
  const folder = join(context.dataFolder, 'brokers')
  context.report.note(`The brokers of ${folder} run already and are used as they are.`)
  return { ...elsewhere, addresses }
}

const kafkaSettings = ['USERNAME', 'PASSWORD', 'SASL_MECHANISM', 'TLS', 'TLS_CA']

function accessOf(env: BrokersWanted['env']): Record<string, string> {
  return Object.fromEntries(
    kafkaSettings.flatMap((name) => {
      // A secret may be given as the name of a file that holds it.
      const names = [`KAFKA_${name}`, `KAFKA_${name}_FILE`]
      return names.flatMap((each) => (env[each] ? [[each, env[each]]] : []))
    }),
  )
}
