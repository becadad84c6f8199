import { runService } from '@halles/kit/lifecycle'
import { createApp } from './app.ts'
import { loadGatewayConfig } from './config.ts'

await runService(async () => createApp(loadGatewayConfig()))
