import { loadConfig } from '@halles/kit/config'
import { runService } from '@halles/kit/lifecycle'
import { createApp } from './app.ts'
import { schema } from './config.ts'

await runService(async () => createApp(loadConfig(schema)))
