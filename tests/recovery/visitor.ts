import assert from 'node:assert/strict'

/** A person in a browser who is signed in to the shop's pages. */
export type Visitor = {
  /** Whether the account page is shown; otherwise the way to the sign-in is. */
  isSignedIn(): Promise<boolean>
}

const limitMs = 30_000

export async function signInToPages(
  urlOf: () => string,
  { email, password }: { email: string; password: string },
): Promise<Visitor> {
  const answer = await fetch(`${urlOf()}/sign-in?next=/account`, {
    method: 'POST',
    headers: { 'sec-fetch-site': 'same-origin' },
    body: new URLSearchParams({ email, password }),
    redirect: 'manual',
    signal: AbortSignal.timeout(limitMs),
  })
  await answer.arrayBuffer()
  const cookie = answer.headers
    .getSetCookie()
    .map((each) => each.split(';')[0])
    .join('; ')
  assert.equal(answer.headers.get('location'), '/account', `Signing in answered ${answer.status}.`)
  return {
    async isSignedIn() {
      const page = await fetch(`${urlOf()}/account`, {
        headers: { cookie, 'sec-fetch-site': 'none' },
        redirect: 'manual',
        signal: AbortSignal.timeout(limitMs),
      })
      await page.arrayBuffer()
      assert.ok([200, 302, 303].includes(page.status), `The account page answered ${page.status}.`)
      return page.status === 200
    },
  }
}
