import { type Statement, sql } from '@halles/kit/database'
import type { OrderFilter, OrderSearch } from '../ports.ts'
import { columns } from './order-rows.ts'

type Condition = { name: string; text: (parameter: () => string) => string; values: unknown[] }

/** One prepared statement for each combination of filters, so that each has a plan of its own. */
export function listStatement(filter: OrderFilter): { statement: Statement; values: unknown[] } {
  const conditions = conditionsOf(filter)
  let count = 0
  const parameter = () => {
    count += 1
    return `$${count}`
  }
  const where = conditions.map(({ text }) => text(parameter)).join(' and ') || 'true'
  const name = ['orders.list', ...conditions.map((each) => each.name)].join('_')
  const text = `select ${columns} from orders where ${where} order by id desc limit ${parameter()}`
  return {
    statement: sql(name, text),
    values: [...conditions.flatMap(({ values }) => values), filter.limit],
  }
}

function conditionsOf(filter: OrderFilter): Condition[] {
  const { customerId, status, from, to, minTotalMinor, before, search } = filter
  const compare = (name: string, comparison: string, value: unknown): Condition[] =>
    value === undefined
      ? []
      : [{ name, text: (parameter) => `${comparison} ${parameter()}`, values: [value] }]
  return [
    ...compare('customer', 'customer_id =', customerId),
    ...compare('status', 'status =', status),
    ...compare('from', 'placed_at >=', from),
    ...compare('to', 'placed_at <', to),
    ...compare('total', 'total_minor >=', minTotalMinor),
    ...compare('before', 'id <', before),
    ...(search ? [searchCondition(search)] : []),
  ]
}

function searchCondition(search: OrderSearch): Condition {
  if (search.kind === 'id') {
    return { name: 'id', text: (parameter) => `id = ${parameter()}`, values: [search.id] }
  }
  if (search.kind === 'email') {
    const values = [`${search.begin.replace(/[\\%_]/g, '\\$&')}%`]
    return { name: 'email', text: (parameter) => `lower(email) like ${parameter()}`, values }
  }
  const { part } = search
  const [first, last] = ['0', 'f'].map((digit) => toId(part, digit))
  return {
    name: 'part',
    // Ids sort as their text does; the end is found by what is first in the reversed text. An e-mail
    // may begin as an id does.
    text: (parameter) =>
      `(id between ${parameter()} and ${parameter()} or reverse(id::text) like ${parameter()}
        or lower(email) like ${parameter()})`,
    values: [first, last, `${[...part].reverse().join('')}%`, `${part}%`],
  }
}

/** The id that begins so and goes on with one digit. */
function toId(begin: string, digit: string): string {
  const shape = 'xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx'
  const digits = begin.replaceAll('-', '').slice(0, 32).padEnd(32, digit)
  let at = 0
  return shape.replace(/x/g, () => digits[at++] as string)
}
