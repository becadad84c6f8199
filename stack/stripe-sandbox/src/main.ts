import { runService } from '@halles/kit/lifecycle'
import { createLogger } from '@halles/kit/logging'
import { type Sandbox, startSandbox } from './app.ts'
import { loadSandboxConfig } from './config.ts'

await runService(async () => {
  const config = loadSandboxConfig()
  const logger = createLogger({
    service: 'stripe-sandbox',
    level: 'info',
    instance: `local-${process.pid}`,
  })
  let sandbox: Sandbox | undefined
  return {
    async start() {
      sandbox = await startSandbox({ ...config, logger })
    },
    async stop() {
      await sandbox?.stop()
    },
  }
})
