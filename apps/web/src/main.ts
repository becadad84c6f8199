import { runService } from '@halles/kit/lifecycle'
import { createApp } from './app.ts'
import { readConfig } from './config.ts'

await runService(async () => createApp(readConfig()))
