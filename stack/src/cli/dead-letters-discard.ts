import { type Command, textOf, usage } from './command.ts'

export const deadLettersDiscard: Command = {
  name: 'dead-letters discard',
  summary: 'Give one up for good. Audited.',
  words: ['<id>'],
  options: { reason: { type: 'string' } },
  help: '  --reason TEXT         why; it is kept in the audit log (required)',
  example: '0199-abc --reason "the product is gone"',
  async run(input, { session, show }) {
    const [id = ''] = input.words
    const reason = textOf(input, 'reason')?.trim()
    if (!reason) throw usage('Say why: --reason TEXT.')
    const { call } = await session()
    const path = `/api/v1/system/dead-letters/${encodeURIComponent(id)}/discard`
    await call({ method: 'POST', path, body: JSON.stringify({ reason }), isRepeatable: false })
    show({ json: { discarded: id }, text: `${id} is discarded.` })
    return true
  },
}
