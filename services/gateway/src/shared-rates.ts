import { createScript, type Redis } from './redis.ts'

/** What a bucket spent since it was last told, and how it is refilled. */
export type Spending = {
  readonly key: string
  readonly spent: number
  readonly perSecond: number
  readonly burst: number
}

/** The buckets that all gateways share. */
export type SharedRates = {
  /** Takes one if there is one. Returns what is left, or undefined while Redis is away. */
  take(bucket: Omit<Spending, 'spent'>): Promise<{ isAllowed: boolean; tokens: number } | undefined>
  /**
   * Takes what was spent already, together. Returns what is left in each, below zero when the
   * gateways together spent more than there was; undefined while Redis is away.
   */
  settle(spendings: readonly Spending[]): Promise<number[] | undefined>
}

// Time is that of Redis, so that the clocks of the gateways do not matter. A bucket is forgotten when
// it would be full again. What was spent too much is a debt of one burst at most: with more, clients
// behind one address would wait for long after the rush.
const refill = `
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
local function level(key, perSecond, burst)
  local held = redis.call('HMGET', key, 'tokens', 'at')
  if not held[1] then return burst end
  return math.min(burst, held[1] + math.max(0, now - held[2]) * perSecond)
end
local function keep(key, tokens, perSecond, burst)
  redis.call('HSET', key, 'tokens', string.format('%.6f', tokens), 'at', string.format('%.6f', now))
  redis.call('PEXPIRE', key, math.ceil((burst - tokens) / perSecond * 1000) + 1000)
end
`

const takeOne = createScript(`${refill}
local perSecond, burst = tonumber(ARGV[1]), tonumber(ARGV[2])
local tokens = level(KEYS[1], perSecond, burst)
local allowed = 0
if tokens >= 1 then
  allowed = 1
  tokens = tokens - 1
end
keep(KEYS[1], tokens, perSecond, burst)
return { allowed, string.format('%.6f', tokens) }
`)

const settleAll = createScript(`${refill}
local levels = {}
for i, key in ipairs(KEYS) do
  local spent = tonumber(ARGV[3 * i - 2])
  local perSecond, burst = tonumber(ARGV[3 * i - 1]), tonumber(ARGV[3 * i])
  local tokens = math.max(-burst, level(key, perSecond, burst) - spent)
  keep(key, tokens, perSecond, burst)
  levels[i] = string.format('%.6f', tokens)
end
return levels
`)

const nameOf = (key: string) => `rate:${key}`

export function createSharedRates(redis: Pick<Redis, 'run'>): SharedRates {
  return {
    async take({ key, perSecond, burst }) {
      const reply = await redis.run(takeOne, [nameOf(key)], [perSecond, burst])
      if (reply === undefined) return undefined
      const [allowed, tokens] = reply as [number, Buffer]
      return { isAllowed: allowed === 1, tokens: Number(tokens) }
    },
    async settle(spendings) {
      const values = spendings.flatMap(({ spent, perSecond, burst }) => [spent, perSecond, burst])
      const keys = spendings.map(({ key }) => nameOf(key))
      const levels = await redis.run(settleAll, keys, values)
      return (levels as Buffer[] | undefined)?.map(Number)
    },
  }
}
