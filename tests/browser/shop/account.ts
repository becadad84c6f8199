import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { eventually } from '@halles/kit/testing'
import { newEmail } from '../../e2e/shop.ts'
import { inspect, type World } from '../browser.ts'
import { fillAddress, openAccount, password, signIn } from '../shopper.ts'

/** What belongs to a customer. */
export function account({ open }: World): void {
  test('a new password signs out the other browser and keeps this one', async () => {
    const email = newEmail()
    const page = await open()
    await openAccount(page, email)
    const other = await open()
    await signIn(other, email, password)
    await page.goto('/account/security')
    await inspect(page, 'shop/account-security')
    await page.locator('section', { hasText: 'New password' }).first().waitFor()
    const form = page.locator('form', { hasText: 'Change the password' })
    await form.getByLabel('Present password').fill('not the password')
    await form.getByLabel('New password').fill('another-way-to-the-market')
    await form.getByRole('button').click()
    await page.getByText('The present password is not right.').first().waitFor()
    await form.getByLabel('Present password').fill(password)
    await form.getByLabel('New password').fill('another-way-to-the-market')
    await form.getByRole('button').click()
    await page.getByText('Your password is changed.').waitFor()
    await other.goto('/account')
    await other.waitForURL(/\/sign-in\?.*ended=1/)
    await inspect(other, 'shop/sign-in-ended')
    await signIn(other, email, 'another-way-to-the-market')
  })

  test('a browser that was left signed in elsewhere is signed out from here', async () => {
    const email = newEmail()
    const page = await open()
    await openAccount(page, email)
    const other = await open()
    await signIn(other, email, password)
    await page.goto('/account/security')
    await page.getByText('This browser').waitFor()
    await page.getByRole('button', { name: 'Sign out there: Chrome · Linux' }).click()
    await page.getByRole('button', { name: /^Sign out there/ }).waitFor({ state: 'detached' })
    // The door hears of it by a message.
    await eventually(async () => {
      await other.goto('/account/addresses')
      assert.match(other.url(), /\/sign-in\?/)
    })
  })

  test('name, addresses and e-mail are changed by their owner', async () => {
    const page = await open()
    await openAccount(page, newEmail())
    await page.goto('/account')
    await page.getByLabel('Name', { exact: true }).fill('Odette de la Halle')
    await page.getByRole('button', { name: 'Save' }).click()
    await page.getByText('Saved.').waitFor()
    await page.getByText('Odette de la Halle').first().waitFor()
    await inspect(page, 'shop/account')
    await page.goto('/account/addresses')
    await fillAddress(page)
    await page.getByRole('button', { name: 'Save' }).click()
    await page.getByRole('link', { name: /^Edit the address/ }).click()
    await page.getByRole('heading', { name: 'Edit the address' }).waitFor()
    await inspect(page, 'shop/account-addresses')
    await page.getByLabel('Town').fill('Lyon')
    await page.getByRole('button', { name: 'Save' }).click()
    await page.getByText('75001 Lyon').waitFor()
    await page.getByRole('button', { name: /^Remove the address/ }).click()
    await page.getByText('No address yet').waitFor()
    const email = newEmail()
    await page.goto('/account/security')
    const form = page.locator('form', { hasText: 'Change the e-mail' })
    await form.getByLabel('New e-mail').fill(email)
    await form.getByLabel('Present password').fill(password)
    await form.getByRole('button').click()
    await page.getByText('Your e-mail is changed.').waitFor()
    await page.getByText(`You sign in with ${email}.`).waitFor()
  })

  test('people take their data along, and are forgotten when they say so twice', async () => {
    const email = newEmail()
    const page = await open()
    await openAccount(page, email)
    await page.goto('/account/data')
    await inspect(page, 'shop/account-data')
    const coming = page.waitForEvent('download')
    await page.getByRole('link', { name: /^Download/ }).click()
    const text = await readFile((await (await coming).path()) ?? '', 'utf8')
    const data = JSON.parse(text) as { customer: { email: string }; orders: unknown[] }
    assert.equal(data.customer.email, email)
    assert.deepEqual(data.orders, [])
    await page.getByLabel('Present password').fill(password)
    await page.getByLabel('Yes, I want my account to be erased').check()
    await page.getByRole('button', { name: 'Erase my account' }).click()
    await page.getByRole('heading', { name: 'Your account is erased' }).waitFor()
    await inspect(page, 'shop/erased')
    await page.goto('/account')
    await page.waitForURL('**/sign-in?**')
  })
}
