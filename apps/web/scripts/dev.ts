import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { runService } from '@halles/kit/lifecycle'
import { createServer } from 'vite'
import { createApp } from '../src/app.ts'
import { readConfig } from '../src/config.ts'
import type { AnswerPage, Pages } from '../src/server/pages.ts'

const { values } = parseArgs({
  options: {
    data: { type: 'string', default: process.env.HALLES_DATA ?? '.halles' },
    port: { type: 'string', default: '5173' },
  },
})
// npm runs this in the workspace; the folder is meant from where the person is.
const data = resolve(process.env.INIT_CWD ?? '.', values.data)
const read = (name: string) => JSON.parse(readFileSync(join(data, name), 'utf8'))

/** What the running stack of this data folder would give the web server. */
function environment(): Record<string, string> {
  const { databases, sessionSecret } = read('secrets.json')
  const { 'stripe-sandbox-1.http': sandboxPort } = read('ports.json')
  const { port: postgresPort } = read('postgres.json')
  return {
    PORT: values.port,
    PUBLIC_URL: `http://localhost:${values.port}`,
    API_URLS: read('lock.json').url,
    DATABASE_URL: `postgres://web:${databases.web}@127.0.0.1:${postgresPort}/web`,
    SESSION_SECRET: sessionSecret,
    PAYMENT_ORIGINS: `http://localhost:${sandboxPort}`,
    LOG_LEVEL: 'warn',
  }
}

async function openVite(): Promise<Pages> {
  const vite = await createServer({
    root: resolve(import.meta.dirname, '..'),
    server: { middlewareMode: true },
    appType: 'custom',
  })
  const load = async () => {
    const build = await vite.ssrLoadModule('virtual:react-router/server-build')
    return build as { entry: { module: { createPages(build: unknown, mode: string): AnswerPage } } }
  }
  return {
    serveFile: (_path, request, response) =>
      new Promise((done, fail) => {
        response.once('finish', () => done(true))
        vite.middlewares(request, response, (error: unknown) => {
          if (error) fail(error)
          else done(false)
        })
      }),
    answer: async (request, visit, nonce) => {
      const build = await load()
      return build.entry.module.createPages(build, 'development')(request, visit, nonce)
    },
    // Vite puts styles into the page and speaks over a socket.
    policy: { 'style-src': "'unsafe-inline'", 'connect-src': 'ws:' },
    stop: () => vite.close(),
  }
}

await runService(async () => createApp(readConfig(environment()), openVite))
console.log(`http://localhost:${values.port}`)
