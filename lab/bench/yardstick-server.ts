import { createHttpServer } from '@halles/kit/http-server'
import { type App, runService } from '@halles/kit/lifecycle'
import { createLogger } from '@halles/kit/logging'

const text = { type: 'string' }
const item = { type: 'object', properties: { id: text, title: text, note: text } }
const routes = {
  getConstant: {
    operation: 'getConstant',
    service: 'yardstick',
    method: 'GET',
    path: '/constant',
    summary: 'Always the same two kilobytes.',
    access: { kind: 'public' },
    responses: { 200: { type: 'object', properties: { items: { type: 'array', items: item } } } },
    rate: 'read',
  },
} as const

type Answer = { items: { id: string; title: string; note: string }[] }

// Twenty entries of about a hundred bytes, written by the same serializer as the services' answers.
const answer: Answer = {
  items: Array.from({ length: 20 }, (_none, index) => ({
    id: `01890a5d-ac96-774b-bcce-b302099a8${String(index).padStart(3, '0')}`,
    title: 'A basket of willow',
    note: 'Always the same.',
  })),
}

/** The HTTP server of every service, with nothing behind it: what the kit alone allows. */
async function createApp(): Promise<App> {
  const server = createHttpServer<{ getConstant: { reply: Answer } }>({
    service: 'yardstick',
    logger: createLogger({ service: 'yardstick', level: 'error', instance: 'yardstick-1' }),
    routes,
    host: '127.0.0.1',
    port: Number(process.argv[2]),
    isReady: () => true,
  })
  server.on('getConstant', async () => answer)
  return server
}

await runService(createApp)
