import {
  addressList,
  type ConfigOf,
  type Field,
  flag,
  serviceConfig,
  text,
} from '@halles/kit/config'

export const schema = {
  ...serviceConfig,
  rbacUrls: addressList('RBAC_URLS', 'http'),
  /** The currency of import files that do not say theirs. */
  shopCurrency: currency('SHOP_CURRENCY', 'EUR'),
  /** Fills an empty catalogue at the first start. */
  demoCatalogue: flag('DEMO_CATALOGUE', { default: false }),
}

export type Config = ConfigOf<typeof schema>

function currency(variable: string, fallback: string): Field<string> {
  const field = text(variable, { default: fallback })
  const parse = (value: string) => {
    if (!/^[A-Z]{3}$/.test(value)) throw new Error('must be an ISO 4217 code such as EUR.')
    return value
  }
  return { ...field, parse }
}
