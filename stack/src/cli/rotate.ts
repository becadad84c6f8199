import { AppError } from '@halles/kit/errors'
import { hasDatabase } from '../backup/stores.ts'
import { finishRotation, rotatables, rotate as rotateSecrets } from '../rotation.ts'
import type { ProcessEntry } from '../supervisor.ts'
import { type Command, type Context, usage } from './command.ts'

const names = Object.keys(rotatables)
const list = Object.entries(rotatables)
  .map(([name, { summary }]) => `  ${name.padEnd(22)}${summary}`)
  .join('\n')

export const rotate: Command = {
  name: 'rotate',
  summary: 'Replace a secret while the shop sells; nobody is refused or signed out.',
  isLocal: true,
  words: ['<secret>', '[secret …]'],
  options: { finish: { type: 'boolean' }, force: { type: 'boolean' } },
  help: `${list}
  all                   each of them
  --finish              do away with the old one, once nothing that it made is good any more
  --force               with --finish: at once; what the old one made is refused

The stack must run: each process of those who need the secret is restarted while another one serves,
once to accept the new one, once to use it. Interrupted, call it again.`,
  example: 'signing-keys',
  async run({ words, options }, context) {
    const { dataFolder, progress } = context
    const unknown = words.find((word) => word !== 'all' && !names.includes(word))
    if (unknown !== undefined) {
      throw usage(`"${unknown}" is no secret; these are: ${names.join(', ')}, all.`)
    }
    const isFinish = options.finish === true
    if (options.force === true && !isFinish) throw usage('--force goes with --finish.')
    const chosen = await choose(words, context)
    const restart = async (parts: readonly string[]) => {
      await context.control({ command: 'restart', parts }, progress)
    }
    const order = { dataFolder, restart, progress }
    if (isFinish) {
      const isForced = options.force === true
      await finishRotation(chosen, { ...order, isForced, now: new Date() })
    } else {
      await rotateSecrets(chosen, order)
    }
    const text = isFinish
      ? `The old secrets are gone: ${chosen.join(', ')}.`
      : `The new secrets are used: ${chosen.join(', ')}. The old ones are accepted until --finish.`
    context.show({ json: { secrets: chosen, state: isFinish ? 'finished' : 'used' }, text })
    return true
  },
}

/** What to rotate of a stack that runs: not what somebody else gave it. */
async function choose(
  words: readonly string[],
  { dataFolder, control }: Context,
): Promise<string[]> {
  if (!hasDatabase(dataFolder)) {
    throw new AppError('not-found', 'NO_SECRETS', `There is no stack in ${dataFolder} yet.`)
  }
  const entries = (await control({ command: 'status' })) as ProcessEntry[]
  const hasSandbox = entries.some(({ part }) => part === 'stripe-sandbox')
  if (words.includes('webhook-secret') && !hasSandbox) {
    const message =
      "Stripe's own secret is rolled in its dashboard: start with STRIPE_WEBHOOK_SECRET=new,old, then with the new one."
    throw new AppError('conflict', 'SECRET_OF_STRIPE', message)
  }
  const isMeant = (name: string) => words.includes('all') || words.includes(name)
  return names.filter((name) => isMeant(name) && (name !== 'webhook-secret' || hasSandbox))
}
