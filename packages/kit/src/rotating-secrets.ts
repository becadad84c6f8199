import type { Field } from './config.ts'

// Two during a rotation, and one more for who begins another before the last one has ended.
const maxSecrets = 3

/**
 * A variable with a secret that can be replaced while it is used: one, or several separated by
 * commas. The first is used; each is accepted. It stays text: {@link secretsIn} takes it apart.
 * @param options.minLength least characters of each. Default 32.
 */
export function rotatingSecret(
  variable: string,
  { minLength = 32 }: { minLength?: number } = {},
): Field<string> {
  return {
    variable,
    parse(text) {
      const secrets = secretsIn(text)
      if (secrets.length > maxSecrets || secrets.some(({ length }) => length < minLength)) {
        throw new Error(
          `must have at least ${minLength} characters, or be up to ${maxSecrets} such secrets with commas between them.`,
        )
      }
      return secrets.join(',')
    },
  }
}

/** The secrets of a {@link rotatingSecret}: the first is the one to use, each is to be accepted. */
export function secretsIn(text: string): [string, ...string[]] {
  const [first = '', ...others] = text.split(',').map((each) => each.trim())
  return [first, ...others]
}
