import { AppError } from '@halles/kit/errors'
import { checkAnswers, givenAddresses } from '../brokers/given.ts'
import { findProgram, findPrograms } from '../brokers/programs.ts'
import { ask, type Finding, fail, ok, type Patient, warn } from './finding.ts'

/** Those that the environment names must answer. */
export async function checkGiven({ env }: Patient): Promise<Finding> {
  const given = givenAddresses(env)
  const names = Object.values(given).filter(Boolean).length
  if (names === 0) return ok('brokers', 'none are given: messages are kept in PostgreSQL')
  try {
    await checkAnswers(given, env)
    return ok('brokers', 'those that are given answer')
  } catch (error) {
    if (!(error instanceof AppError)) throw error
    return fail('brokers', error.message, 'Start it, or correct its address.')
  }
}

/** What --brokers would need to run here. */
export function checkLocalBrokers(): Finding {
  const { rabbitmqServer, redisServer, java, kafkaJars } = findPrograms()
  const needed = { RabbitMQ: rabbitmqServer, Redis: redisServer, 'Java 17': java, Kafka: kafkaJars }
  const missing = Object.entries(needed).flatMap(([name, path]) => (path === undefined ? name : []))
  if (missing.length === 0) return ok('--brokers', 'RabbitMQ, Kafka and Redis are installed')
  const text = `${missing.join(', ')} not installed, which only --brokers needs`
  return ok('--brokers', `${text}: npm run brokers -- --help`)
}

const leastHaproxy = [2, 6] as const

export function checkHaproxy(): Finding {
  const program = findProgram('haproxy')
  if (program === undefined) {
    return ok('HAProxy', 'not installed, which only --edge haproxy and --https-port need')
  }
  const said = ask(program, ['-v']) ?? ''
  const [, version = '', major, minor] = /version ((\d+)\.(\d+)[^\s]*)/.exec(said) ?? []
  const [leastMajor, leastMinor] = leastHaproxy
  const isNew =
    Number(major) > leastMajor || (Number(major) === leastMajor && Number(minor) >= leastMinor)
  if (isNew) return ok('HAProxy', version)
  const text = version === '' ? `${program} does not run` : `${version} is too old`
  return warn('HAProxy', text, `--edge haproxy needs ${leastHaproxy.join('.')} or newer.`)
}

export function checkChromium({ env }: Patient): Finding {
  const program = env.HALLES_TEST_CHROMIUM ?? findProgram('chromium')
  if (program === undefined) return ok('Chromium', 'not installed, which only tests of pages need')
  return ok('Chromium', program)
}
