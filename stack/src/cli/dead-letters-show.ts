import type { DeadLetterDetail } from '@halles/contracts/gen/http/gateway'
import type { Command } from './command.ts'
import { printable, table } from './table.ts'

export const deadLettersShow: Command = {
  name: 'dead-letters show',
  summary: 'One of them with its body, its error and its history. This is audited.',
  words: ['<id>'],
  options: {},
  help: '',
  example: '0199-abc',
  async run({ words: [id = ''] }, { session, show }) {
    const { call } = await session()
    const path = `/api/v1/system/dead-letters/${encodeURIComponent(id)}`
    const letter = await call<DeadLetterDetail>({ method: 'GET', path })
    show({ json: letter, text: describe(letter) })
    return true
  },
}

function describe(letter: DeadLetterDetail): string {
  const { address, group, service, code, reason, attempts, deadAt, message, history } = letter
  const from = `${address.kind} ${address.name}${group === null ? '' : `, group ${group}`}`
  const facts = [
    ['failed', `${deadAt}, in ${service}, after ${attempts} tries`],
    ['from', from],
    ['error', `${code}: ${reason}`],
  ]
  const tries = history.map((each) => [each.at, String(each.attempt), each.code, each.reason])
  return [
    ...facts.map(([name = '', value = '']) => `${name.padEnd(8)}${printable(value)}`),
    '',
    table(['AT', 'TRY', 'CODE', 'REASON'], tries),
    '',
    printable(JSON.stringify(message, null, 2)),
  ].join('\n')
}
