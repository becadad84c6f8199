import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type BrokerSetting, createKeptBroker, type KeptBroker } from './kept-broker.ts'
import { answers, probeRedis } from './probes.ts'

export type RedisOptions = BrokerSetting & {
  /** `redis-server`, or `valkey-server`. */
  binary: string
  password: string
  ports: Readonly<Record<'redis', number>>
}

/** Redis on loopback. It holds caches and counters only, so nothing is kept on disk. */
export function createRedis(options: RedisOptions): KeptBroker & { url: string } {
  const { folder, binary, password, ports } = options
  const url = `redis://:${password}@127.0.0.1:${ports.redis}`
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const file = join(folder, 'redis.conf')
  writeFileSync(file, settings(options), { mode: 0o600 })
  const kept = createKeptBroker(options, {
    name: 'Redis',
    command: [binary, file],
    isAnswering: () => answers(probeRedis(url)),
  })
  return { ...kept, ports: { redis: ports.redis }, url }
}

function settings({ password, ports }: RedisOptions): string {
  return `bind 127.0.0.1
port ${ports.redis}
requirepass ${password}
daemonize no
appendonly no
save ""
loglevel warning
# Far more than caches and counters of one machine need; the least used goes first.
maxmemory 128mb
maxmemory-policy allkeys-lru
`
}
