import type { Finding, Patient } from '../doctor/finding.ts'
import * as machine from '../doctor/machine.ts'
import * as programs from '../doctor/programs.ts'
import { type Command, numberOf } from './command.ts'

const checks: readonly ((patient: Patient) => Finding | Promise<Finding>)[] = [
  machine.checkNode,
  machine.checkMemory,
  machine.checkDisk,
  machine.checkFolder,
  machine.checkPort,
  machine.checkUser,
  machine.checkPostgres,
  machine.checkPackages,
  () => machine.checkClock(),
  programs.checkGiven,
  programs.checkLocalBrokers,
  programs.checkHaproxy,
  programs.checkChromium,
]

export const doctor: Command = {
  name: 'doctor',
  summary: 'Looks whether Halles can run on this machine, and says what to do.',
  isLocal: true,
  words: [],
  options: { port: { type: 'string' } },
  help: `  --port N              the port that it shall have (or PORT; 8080)

Exits 1 when something fails; a warning is no failure. AMQP_URL, KAFKA_BROKERS and REDIS_URL are
tried where they are set.`,
  example: '--port 8080',
  async run(input, { dataFolder, env, show }) {
    const given = numberOf(input, 'port', { min: 1, max: 65_535 })
    const port = given ?? (Number(env.PORT) || 8_080)
    const findings: Finding[] = []
    for (const check of checks) findings.push(await check({ dataFolder, port, env }))
    const isWell = findings.every(({ level }) => level !== 'fail')
    show({ json: { isWell, findings }, text: findings.map(toText).join('\n') })
    return isWell
  },
}

function toText({ name, level, text, todo }: Finding): string {
  const line = `${level.padEnd(5)} ${name.padEnd(12)} ${text}`
  return todo === undefined ? line : `${line}\n      ${''.padEnd(12)} ${todo}`
}
