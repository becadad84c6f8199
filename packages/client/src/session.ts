/** The token that calls are made with. */
export type Session = {
  token(): string | undefined
  use(token: string | undefined): void
  /** A token instead of the one that was refused; undefined when there is none to be had. */
  renew(refused: string): Promise<string | undefined>
}

/** However many calls meet the end of a token, `onExpired` is asked once. */
export function createSession(
  first: string | undefined,
  onExpired: (() => Promise<string | undefined>) | undefined,
): Session {
  let current = first
  let renewing: Promise<string | undefined> | undefined

  async function ask(): Promise<string | undefined> {
    try {
      current = await onExpired?.()
      return current
    } finally {
      renewing = undefined
    }
  }

  return {
    token: () => current,
    use(token) {
      current = token
    },
    async renew(refused) {
      if (!onExpired) return undefined
      // Another call has renewed it meanwhile.
      if (current !== refused) return current
      renewing ??= ask()
      return renewing
    },
  }
}
