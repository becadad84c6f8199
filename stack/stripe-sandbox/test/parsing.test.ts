import assert from 'node:assert/strict'
import test from 'node:test'
import { parseCard } from '../src/cards.ts'
import { ApiError } from '../src/errors.ts'
import { parseForm } from '../src/form.ts'

const plain = (value: unknown) => JSON.parse(JSON.stringify(value))

test('nested parameters are read as the clients write them', () => {
  assert.deepEqual(plain(parseForm('a[b][0][c]=1&a[b][1][c]=x%20y+z&d[]=1&d[]=2&e=')), {
    a: { b: { 0: { c: '1' }, 1: { c: 'x y z' } } },
    d: { 0: '1', 1: '2' },
    e: '',
  })
  assert.deepEqual(plain(parseForm('')), {})
})

test('a name from the prototype is an ordinary name', () => {
  const form = parseForm('__proto__[polluted]=1&constructor=2')
  assert.deepEqual(Object.keys(form), ['__proto__', 'constructor'])
  assert.equal(Reflect.get({}, 'polluted'), undefined)
})

for (const text of [
  'a=1&a[b]=2',
  'a[b]=1&a=2',
  '[a]=1',
  'a[b=1',
  'a=%zz',
  'a[b][c][d][e][f][g][h][i]=1',
]) {
  test(`the parameters ${text} are refused`, () => {
    assert.throws(() => parseForm(text), ApiError)
  })
}

const now = new Date('2030-06-15T12:00:00Z')
const fields = { number: '4242424242424242', expiry: '06/30', cvc: '123' }
const faults: [Partial<typeof fields>, string][] = [
  [{ number: '4242424242424241' }, 'number'],
  [{ number: '4242' }, 'number'],
  [{ number: 'forty-two' }, 'number'],
  [{ expiry: '05/30' }, 'expiry'],
  [{ expiry: '13/31' }, 'expiry'],
  [{ expiry: '06/2099' }, 'expiry'],
  [{ expiry: 'soon' }, 'expiry'],
  [{ cvc: '12' }, 'cvc'],
  [{ cvc: '1234' }, 'cvc'],
  [{ cvc: 'abc' }, 'cvc'],
]
for (const [change, field] of faults) {
  test(`a card with ${JSON.stringify(change)} is refused at its ${field}`, () => {
    const parsed = parseCard({ ...fields, ...change }, now)
    assert.equal('field' in parsed && parsed.field, field)
  })
}

test('a card is good to the end of its last month, however the expiry is written', () => {
  for (const expiry of ['06/30', '6/30', '06 / 2030', '0630', '06-30']) {
    const parsed = parseCard({ ...fields, expiry }, now)
    assert.deepEqual('card' in parsed && parsed.card, {
      brand: 'visa',
      last4: '4242',
      expMonth: 6,
      expYear: 2030,
    })
  }
})

test('a number that is not a test number is declined', () => {
  const parsed = parseCard({ ...fields, number: '4111 1111 1111 1111' }, now)
  const decline = 'card' in parsed ? parsed.behaviour.decline : null
  assert.equal(decline?.declineCode, 'test_mode_live_card')
})
