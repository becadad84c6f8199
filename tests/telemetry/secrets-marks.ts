import { randomBytes, randomInt } from 'node:crypto'

/** What a marked value stands for. A secret may be nowhere; the rest, where the contracts say so. */
export const secretKinds = ['password', 'token', 'cookie', 'signature', 'key', 'card'] as const
export const personalKinds = ['email', 'name', 'address', 'phone', 'note', 'query'] as const
export type Kind = (typeof secretKinds)[number] | (typeof personalKinds)[number]

export type Marks = {
  /** A new value, which nobody else uses. */
  of(kind: Kind): string
  email(): string
  /** Sixteen digits, as on a card. */
  cardNumber(): string
  /** Has real secrets found as well: those that the shop hands out, and those that it was started with. */
  add(kind: Kind, value: string): void
  /** Matches every value, also in hexadecimal digits; for PostgreSQL and us. */
  pattern(): string
  /** What stands in the text. */
  kindsIn(text: string): Set<Kind>
}

/** Values that are found again wherever they went. */
export function createMarks(): Marks {
  const run = `zq${randomBytes(4).toString('hex')}`
  const literals = new Map<string, Kind>()
  const hex = (text: string) => Buffer.from(text).toString('hex')
  const all = [...secretKinds, ...personalKinds] as const
  const of = (kind: Kind) => `${run}${kind}${randomBytes(3).toString('hex')}`
  return {
    of,
    email: () => `${of('email')}@example.com`,
    cardNumber() {
      const number = `49${String(randomInt(1e13)).padStart(14, '7')}`
      literals.set(number, 'card')
      return number
    },
    add: (kind, value) => void literals.set(value, kind),
    pattern: () => [run, hex(run), ...literals.keys()].map(escaped).join('|'),
    kindsIn(text) {
      const lower = text.toLowerCase()
      const isMarked = (kind: Kind) =>
        lower.includes(`${run}${kind}`) || lower.includes(hex(`${run}${kind}`))
      const found = [...literals].filter(([value]) => text.includes(value)).map(([, kind]) => kind)
      return new Set([...all.filter(isMarked), ...found])
    },
  }
}

const escaped = (text: string) => text.replaceAll(/[^\w]/g, '\\$&')

// Fields of bodies that people write, or that are secret; others are of the catalogue.
const kindOfField: Readonly<Record<string, Kind>> = {
  password: 'password',
  currentPassword: 'password',
  newPassword: 'password',
  refreshToken: 'token',
  name: 'name',
  line1: 'address',
  line2: 'address',
  city: 'address',
  postalCode: 'address',
  region: 'address',
  reason: 'note',
  reference: 'note',
  q: 'query',
}

/** The body with a marked value in each field that may hold something personal or secret. */
export function markBody(marks: Marks, body: unknown): unknown {
  if (Array.isArray(body)) return body.map((each) => markBody(marks, each))
  if (typeof body !== 'object' || body === null) return body
  return Object.fromEntries(
    Object.entries(body).map(([name, value]) => {
      if (name === 'email') return [name, marks.email()]
      const kind = kindOfField[name]
      if (kind === undefined || typeof value !== 'string') return [name, markBody(marks, value)]
      // A postal code is the shortest, with 20 characters.
      return [name, name === 'postalCode' ? marks.of(kind).slice(0, 20) : marks.of(kind)]
    }),
  )
}

export function markedAddress(marks: Marks) {
  return {
    name: marks.of('name'),
    line1: marks.of('address'),
    line2: `phone ${marks.of('phone')}`,
    postalCode: marks.of('address').slice(0, 20),
    city: marks.of('address'),
    region: marks.of('address'),
    country: 'FR',
  }
}

/** Fields that no contract knows, as a client with a mistake in it may send them. */
export function strayFields(marks: Marks): Record<string, unknown> {
  return {
    password: marks.of('password'),
    accessToken: marks.of('token'),
    card: { number: marks.cardNumber(), cvc: marks.of('card') },
    phone: marks.of('phone'),
    coupon: marks.of('note'),
    note: marks.of('note'),
  }
}

export function strayQuery(marks: Marks): string {
  const fields = { token: marks.of('token'), password: marks.of('password'), q: marks.of('query') }
  return new URLSearchParams(fields).toString()
}
