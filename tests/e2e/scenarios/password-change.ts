import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { eventually } from '@halles/kit/testing'
import { newEmail, type Shop, unique } from '../shop.ts'

/** A change of credentials reaches auth whatever happens, and ends older sessions. */
export function passwordChange(shop: Shop): void {
  const { api, stack, signUp, signIn } = shop

  describe('A changed password', () => {
    test('is taken while auth is stopped, and from then on only the newest one works', async () => {
      const customer = await signUp()
      const { email, token, refreshToken } = customer
      const between = `market-${unique()}`
      const newest = `market-${unique()}`
      await stack.without('auth', async () => {
        const change = { currentPassword: customer.password, newPassword: between }
        await api.ask('changePassword', { token, body: change })
        const again = { currentPassword: between, newPassword: newest }
        await api.ask('changePassword', { token, body: again })
        await api.refused('signIn', { status: 503 }, { body: { email, password: newest } })
        const wrong = { status: 403, code: 'WRONG_PASSWORD' }
        await api.refused('changePassword', wrong, { token, body: change })
      })
      const session = await signIn(email, newest)
      await api.ask('getMe', { token: session.token })
      for (const password of [customer.password, between]) {
        await api.refused('signIn', { status: 401 }, { body: { email, password } })
      }
      await api.refused('refreshSession', { status: 401 }, { body: { refreshToken } })
      await eventually(() => api.refused('getMe', { status: 401 }, { token }))
      await api.ask('getMe', { token: session.token })
    })

    test('and a changed e-mail open the door under the new address alone', async () => {
      const { email, password, token } = await signUp()
      const moved = newEmail()
      const body = { email: moved, currentPassword: password }
      await api.ask('changeEmail', { token, body })
      await signIn(moved, password)
      await api.refused('signIn', { status: 401 }, { body: { email, password } })
    })

    test('of a person who leaves opens nothing any more', async () => {
      const { email, password, token } = await signUp()
      await api.ask('eraseMe', { token, body: { currentPassword: password } })
      await eventually(
        () => api.refused('signIn', { status: 401 }, { body: { email, password } }),
        {
          limitMs: 7_000,
          intervalMs: 800,
        },
      )
      await eventually(async () => {
        const { status } = await api.send('getMe', { token })
        assert.equal(status, 401)
      })
    })
  })
}
