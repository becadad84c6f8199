import { createTestDatabase } from '../../src/testing.ts'
import { startTcpProxy } from '../tcp-proxy.ts'
import { messagingContract } from './contract.ts'

messagingContract('the embedded messaging on PostgreSQL', async () => {
  const broker = await createTestDatabase()
  const direct = new URL(broker.url)
  const proxy = await startTcpProxy(direct.hostname, Number(direct.port))
  const url = new URL(broker.url)
  url.host = `127.0.0.1:${proxy.port}`
  return {
    adapter: {
      module: new URL('./postgres-adapter.ts', import.meta.url).href,
      options: { url: url.href },
    },
    away: proxy.away,
    back: proxy.back,
    async stop() {
      await proxy.away()
      await broker.drop()
    },
  }
})
