import { setTimeout as delay } from 'node:timers/promises'
import { AppError } from '@halles/kit/errors'
import { answers, type Probe, probeAmqp, probeKafka, probeRedis } from './probes.ts'

/** Where the brokers are; undefined = none of that kind. What `brokers.json` holds. */
export type BrokerAddresses = {
  amqpUrl?: string
  /** HOST:PORT, several separated by commas. */
  kafkaBrokers?: string
  redisUrl?: string
}

type Environment = Readonly<Record<string, string | undefined>>

/** The addresses that the environment gives. */
export function givenAddresses(env: Environment): BrokerAddresses {
  const { AMQP_URL: amqpUrl, KAFKA_BROKERS: kafkaBrokers, REDIS_URL: redisUrl } = env
  return {
    ...(amqpUrl ? { amqpUrl } : {}),
    ...(kafkaBrokers ? { kafkaBrokers } : {}),
    ...(redisUrl ? { redisUrl } : {}),
  }
}

// Whoever starts them together with us may need a moment more.
const givenLimitMs = 15_000

/** Throws an AppError when one of them does not answer within the limit. */
export async function checkAnswers(
  addresses: BrokerAddresses,
  env: Environment,
  limitMs = givenLimitMs,
): Promise<void> {
  const { amqpUrl, kafkaBrokers, redisUrl } = addresses
  const kafkaNodes = kafkaBrokers?.split(',').map((each) => each.trim()) ?? []
  const isTls = env.KAFKA_TLS === 'true'
  await Promise.all([
    amqpUrl && check('AMQP_URL', () => [probeAmqp(amqpUrl)], limitMs),
    redisUrl && check('REDIS_URL', () => [probeRedis(redisUrl)], limitMs),
    kafkaBrokers &&
      check('KAFKA_BROKERS', () => kafkaNodes.map((node) => probeKafka(node, isTls)), limitMs),
  ])
}

const brokerOf = { AMQP_URL: 'RabbitMQ', KAFKA_BROKERS: 'Kafka', REDIS_URL: 'Redis' }

/** One of several nodes is enough: it knows the others. */
async function check(
  variable: keyof typeof brokerOf,
  read: () => Probe[],
  limitMs: number,
): Promise<void> {
  let probes: Probe[]
  try {
    probes = read()
  } catch (error) {
    const message = `${variable} is not the address of a broker.`
    throw new AppError('invalid', 'BROKER_ADDRESS_INVALID', message, { cause: error })
  }
  const endsAtMs = performance.now() + limitMs
  do {
    if ((await Promise.all(probes.map(answers))).includes(true)) return
    await delay(250)
  } while (performance.now() < endsAtMs)
  const where = probes.map(({ host, port }) => `${host}:${port}`).join(', ')
  throw new AppError(
    'unavailable',
    'BROKER_NOT_ANSWERING',
    `${brokerOf[variable]} does not answer at ${where} (${variable}). Start it, correct the address, or leave the variable out.`,
  )
}
