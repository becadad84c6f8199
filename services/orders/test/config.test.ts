import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ConfigError } from '@halles/kit/config'
import { readConfig } from '../src/config.ts'

const env = {
  DATABASE_URL: 'postgresql://localhost/orders',
  INTERNAL_SECRET: 'an internal secret of more than 32 characters',
  ORDER_TOKEN_SECRET: 'an order token secret of more than 32 characters',
  RBAC_URLS: 'http://127.0.0.1:1',
  CARTS_GRPC: '127.0.0.1:1',
  PRODUCTS_GRPC: '127.0.0.1:1',
  PAYMENTS_GRPC: '127.0.0.1:1',
}

test('delivery is free and standard taxes are included unless the shop says otherwise', () => {
  const { shippingRules, taxRates } = readConfig(env)
  assert.deepEqual(shippingRules, [])
  assert.equal(taxRates.FR, 2_000)
  const rules = [
    {
      rule: 'free-over',
      countries: ['FR'],
      currency: 'EUR',
      amountMinor: 490,
      freeFromMinor: 5_000,
    },
    { rule: 'flat', currency: 'EUR', amountMinor: 1_200 },
  ]
  const told = readConfig({
    ...env,
    SHIPPING_RULES: JSON.stringify(rules),
    TAX_RATES: '{"CH":810}',
  })
  assert.deepEqual([told.shippingRules, told.taxRates], [rules, { CH: 810 }])
})

test('rules that cannot be used are refused by the name of their variable', () => {
  for (const [name, value] of [
    ['SHIPPING_RULES', 'free'],
    ['SHIPPING_RULES', '[{"rule":"weight","currency":"EUR","amountMinor":1}]'],
    ['SHIPPING_RULES', '[{"rule":"flat","currency":"euro","amountMinor":1}]'],
    ['SHIPPING_RULES', '[{"rule":"flat","currency":"EUR","amountMinor":-1}]'],
    ['SHIPPING_RULES', '[{"rule":"free-over","currency":"EUR","amountMinor":1}]'],
    ['SHIPPING_RULES', '[{"rule":"flat","currency":"EUR","amountMinor":1,"countries":["France"]}]'],
    ['TAX_RATES', '[]'],
    ['TAX_RATES', '{"FR":0.2}'],
    ['TAX_RATES', '{"France":2000}'],
    ['TAX_RATES', '{"FR":10001}'],
  ] as const) {
    assert.throws(
      () => readConfig({ ...env, [name]: value }),
      (error: unknown) => {
        assert.ok(error instanceof ConfigError)
        assert.deepEqual(
          error.faults.map(({ variable }) => variable),
          [name],
        )
        return true
      },
    )
  }
})
