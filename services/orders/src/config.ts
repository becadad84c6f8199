import {
  addressList,
  type ConfigOf,
  type Field,
  loadConfig,
  serviceConfig,
} from '@halles/kit/config'
import { rotatingSecret } from '@halles/kit/rotating-secrets'
import { type ShippingRule, standardTaxRates, type TaxRates } from './domain/totals.ts'

const country = /^[A-Z]{2}$/
const currency = /^[A-Z]{3}$/
const maxRules = 100

const schema = {
  ...serviceConfig,
  rbacUrls: addressList('RBAC_URLS', 'http'),
  cartsGrpc: addressList('CARTS_GRPC', 'grpc'),
  productsGrpc: addressList('PRODUCTS_GRPC', 'grpc'),
  paymentsGrpc: addressList('PAYMENTS_GRPC', 'grpc'),
  orderTokenSecret: rotatingSecret('ORDER_TOKEN_SECRET'),
  /** JSON, the first rule that fits counts; without any, delivery is free. */
  shippingRules: {
    variable: 'SHIPPING_RULES',
    parse: parseShippingRules,
    fallback: { value: [] },
  } satisfies Field<readonly ShippingRule[]> as Field<readonly ShippingRule[]>,
  /** JSON, basis points by country. */
  taxRates: {
    variable: 'TAX_RATES',
    parse: parseTaxRates,
    fallback: { value: standardTaxRates },
  } satisfies Field<TaxRates> as Field<TaxRates>,
}

export type Config = ConfigOf<typeof schema>

/** Throws ConfigError with every fault. */
export function readConfig(env: NodeJS.ProcessEnv = process.env): Config {
  return loadConfig(schema, env)
}

function parseShippingRules(text: string): readonly ShippingRule[] {
  const rules = parseJson(text)
  const fault =
    'must be a JSON list of {"rule":"flat","currency","amountMinor","countries"?} or ' +
    '{"rule":"free-over","currency","amountMinor","freeFromMinor","countries"?}.'
  if (!Array.isArray(rules) || rules.length > maxRules || !rules.every(isShippingRule)) {
    throw new Error(fault)
  }
  return rules
}

function isShippingRule(value: unknown): value is ShippingRule {
  if (typeof value !== 'object' || value === null) return false
  const rule = value as Record<string, unknown>
  const { countries } = rule
  const isPlaced =
    countries === undefined ||
    (Array.isArray(countries) && countries.every((code) => isText(code, country)))
  const isPriced = isText(rule.currency, currency) && isAmount(rule.amountMinor)
  const isKnown =
    rule.rule === 'flat' || (rule.rule === 'free-over' && isAmount(rule.freeFromMinor))
  return isPlaced && isPriced && isKnown
}

function parseTaxRates(text: string): TaxRates {
  const rates = parseJson(text)
  const isTable = typeof rates === 'object' && rates !== null && !Array.isArray(rates)
  const isValid =
    isTable &&
    Object.entries(rates).every(
      ([code, rate]) => country.test(code) && isAmount(rate) && Number(rate) <= 10_000,
    )
  if (!isValid) throw new Error('must be a JSON object of country code to basis points (0–10000).')
  return rates as TaxRates
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new Error('must be JSON.', { cause })
  }
}

function isText(value: unknown, pattern: RegExp): boolean {
  return typeof value === 'string' && pattern.test(value)
}

function isAmount(value: unknown): boolean {
  return Number.isSafeInteger(value) && Number(value) >= 0
}
