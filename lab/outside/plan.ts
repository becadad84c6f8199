import { AppError } from '@halles/kit/errors'
import type { Caller } from './callers.ts'

/** How many calls: `short` for every test run, `whole` for the command. */
export type Size = 'short' | 'whole'

/** A run of Schemathesis. */
export type Run = {
  name: string
  caller: Caller
  size: Size
  seed: number
  operations: { only: readonly string[] } | { without: readonly string[] }
}

/**
 * What takes the caller's own rights or session away, or changes what others may do: called after
 * everything else, by everybody in turn.
 */
export const partings: readonly string[] = [
  'endSession',
  'eraseMe',
  'putSubjectRoles',
  'putRole',
  'deleteRole',
  'signOut',
  'signOutEverywhere',
]

/** They end when somebody hangs up, and OpenAPI 3.1 cannot say what they carry. */
const streams = ['streamCart', 'watchSystem']

/** Every role calls everything; then everybody takes leave. The administrator is last in both. */
export function planRuns(callers: readonly Caller[], size: Size, seed: number): Run[] {
  const some = (role: string) => size === 'whole' || ['customer', 'administrator'].includes(role)
  const chosen = callers.filter(({ role }) => some(role))
  const common = { size, seed }
  return [
    ...chosen.map((caller) => ({
      ...{ ...common, caller, name: caller.role },
      operations: { without: [...partings, ...streams] },
    })),
    ...chosen.map((caller) => ({
      ...{ ...common, caller, name: `${caller.role}-leaves` },
      operations: { only: partings },
    })),
  ]
}

// A pattern of these is no name of a part, so a stack that is called is never stopped by a call.
const noPart = ['partOrInstance', 'part']

/** The settings of a run, as Schemathesis reads them. The token comes from its environment. */
export function toSettings({ caller, size, seed, operations }: Run): string {
  // Every border of every field, for those who differ most; it is most of the calls.
  const isThorough =
    size === 'whole' && ['guest', 'customer', 'administrator'].includes(caller.role)
  const phases = isThorough ? ['coverage', 'fuzzing'] : ['fuzzing']
  const text = JSON.stringify
  const filters =
    'only' in operations
      ? ['[[operations]]', `exclude-operation-id = ${text(operations.only)}`, 'enabled = false']
      : ['[[operations]]', `include-operation-id = ${text(operations.without)}`, 'enabled = false']
  const known = Object.entries(caller.known)
  return [
    `seed = ${seed}`,
    'continue-on-failure = true',
    // Longer than the gateway's own deadline, so that what is judged is its answer.
    'request-timeout = 30.0',
    '[generation]',
    `max-examples = ${size === 'whole' ? 8 : 2}`,
    'deterministic = true',
    // Calls without a token, and with a wrong one, are made besides, by a check of their own.
    'with-security-parameters = false',
    'no-shrink = true',
    'database = "none"',
    // No schema forbids NUL and lone surrogates, and every string that has them is refused.
    'allow-x00 = false',
    'codec = "utf-8"',
    ...['examples', 'coverage', 'fuzzing', 'stateful'].flatMap((phase) => [
      `[phases.${phase}]`,
      `enabled = ${phases.includes(phase)}`,
    ]),
    '[output.truncation]',
    'enabled = false',
    ...(caller.role === 'guest'
      ? []
      : ['[auth.openapi]', `bearer = { bearer = "\${${tokenVariable}}" }`]),
    ...(known.length === 0 ? [] : ['[dictionaries]']),
    ...known.map(([name, values]) => `${name} = { values = ${text(values)} }`),
    '[parameters]',
    ...noPart.map((name) => `"path.${name}" = "no-such-part"`),
    // The other half is as the schema says, and known to nobody.
    ...known.map(([name]) => `"path.${name}" = { dictionary = ${text(name)}, probability = 0.5 }`),
    ...filters,
    '',
  ].join('\n')
}

/** In which environment variable a run finds its token. */
export const tokenVariable = 'HALLES_OUTSIDE_TOKEN'

/** A whole number of an option. Throws `USAGE`. */
export function toSeed(text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text)
  throw new AppError('invalid', 'USAGE', `--seed: "${text}" is not a number up to 999999999.`)
}
