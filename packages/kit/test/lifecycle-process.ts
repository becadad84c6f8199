import { ConfigError } from '../src/config.ts'
import { runService } from '../src/lifecycle.ts'

const mode = process.argv[2]

await runService(async () => {
  if (mode === 'misconfigured') {
    throw new ConfigError([{ variable: 'DATABASE_URL', detail: 'is missing.' }])
  }
  const alive = setInterval(() => undefined, 60_000)
  return {
    async start() {
      if (mode === 'fails') throw new Error('a bug')
      if (mode === 'throws') {
        setImmediate(() => {
          throw new Error('a bug')
        })
      }
      if (mode === 'rejects') void Promise.reject(new Error('a bug'))
    },
    async stop() {
      clearInterval(alive)
      process.stdout.write('stopped\n')
    },
  }
})
