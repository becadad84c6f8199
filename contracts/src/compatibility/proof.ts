import { Ajv2020 } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import type { Difference, JsonSchema } from './compare.ts'
import { samplesOf } from './samples.ts'

type Reader = (message: unknown) => Difference[]

/**
 * Shows by messages what {@link compareSchemas} claims by rule: what one schema allows is read under
 * the other, both ways, and a reader bears a member that it does not know.
 */
export function proveBySamples(published: JsonSchema, current: JsonSchema): Difference[] {
  const [before, after] = [toReader(published), toReader(current)]
  const ways = [
    { from: published, writer: before, reader: after, says: 'an older message is refused now' },
    { from: current, writer: after, reader: before, says: 'an older reader refuses the message' },
  ]
  return ways.flatMap(({ from, writer, reader, says }) => {
    const samples = samplesOf(from)
    for (const sample of samples) {
      const [fault] = writer(sample)
      if (fault) throw new Error(`A sample is wrong at ${fault.pointer}: it ${fault.detail}.`)
    }
    const grown = { ...(samples[0] as object), aMemberOfTomorrow: { is: ['not', 'known'] } }
    const faults = [...samples, grown].flatMap(reader)
    return unique(faults).map(({ pointer, detail }) => ({ pointer, detail: `${says}: ${detail}` }))
  })
}

function toReader(schema: JsonSchema): Reader {
  const ajv = new Ajv2020({ strict: true, strictTypes: false, allErrors: true })
  addFormats.default(ajv)
  const validate = ajv.compile(schema)
  return (message) =>
    validate(message)
      ? []
      : (validate.errors ?? []).map(({ instancePath, message: detail = 'is not valid' }) => ({
          // Items differ by nothing but their place.
          pointer: instancePath.replaceAll(/\/\d+(?=\/|$)/g, '/*'),
          detail,
        }))
}

function unique(faults: readonly Difference[]): Difference[] {
  return [...new Map(faults.map((each) => [`${each.pointer} ${each.detail}`, each])).values()]
}
