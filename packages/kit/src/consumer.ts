import { Ajv, type ValidateFunction } from 'ajv'
import addFormats from 'ajv-formats'
import { AppError } from './errors.ts'
import type { Delivery, Handler } from './messaging.ts'

/** The part of a message's contract that a consumer needs: its type and its data's JSON Schema. */
export type ConsumedContract<Data> = { type: string; schema: object; readonly data?: Data }

/** A message type and what is done with it; made by {@link on}. */
export type Reaction = {
  type: string
  schema: object
  react(data: unknown, delivery: Delivery): Promise<void>
}

/** Binds a message's contract to its effect. `react` resolves after the effect is committed. */
export function on<Data>(
  contract: ConsumedContract<Data>,
  react: (data: Data, delivery: Delivery) => Promise<void>,
): Reaction {
  return {
    type: contract.type,
    schema: contract.schema,
    react: (data, delivery) => react(data as Data, delivery),
  }
}

/**
 * The handler of a queue or topic: picks the reaction by the message's type, after its data has
 * passed the contract's schema. Data that does not pass becomes a dead letter (`INVALID_MESSAGE`).
 * @param options.unknown a subscriber ignores the types of a topic that it has no use for; a queue
 *   refuses what it does not know (`UNKNOWN_MESSAGE`, a dead letter), since nobody else will take it.
 */
export function createDispatcher(
  reactions: readonly Reaction[],
  { unknown }: { unknown: 'ignore' | 'refuse' },
): Handler {
  const ajv = new Ajv({ strict: true, strictTypes: false, allowUnionTypes: true })
  addFormats.default(ajv)
  const known = new Map<string, { reaction: Reaction; isValid: ValidateFunction }>()
  for (const reaction of reactions) {
    known.set(reaction.type, { reaction, isValid: ajv.compile(reaction.schema) })
  }
  return async (delivery) => {
    const { type, data } = delivery.message
    const entry = known.get(type)
    if (!entry) {
      if (unknown === 'ignore') return
      throw new AppError('invalid', 'UNKNOWN_MESSAGE', `Nobody here applies messages of ${type}.`)
    }
    if (!entry.isValid(data)) {
      const errors = (entry.isValid.errors ?? []).map(({ instancePath, message }) => ({
        pointer: `/data${instancePath}`,
        detail: message ?? 'is not valid',
      }))
      throw new AppError('invalid', 'INVALID_MESSAGE', `A ${type} does not follow its schema.`, {
        errors,
      })
    }
    await entry.reaction.react(data, delivery)
  }
}
