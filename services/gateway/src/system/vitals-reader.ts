import { internalAuthorization } from '@halles/kit/internal-secret'
import { type VitalsReport, vitalsPath } from '@halles/kit/vitals'
import { Agent } from 'undici'

/** Asks processes of the platform how they are, each over one connection of its own. */
export type VitalsReader = {
  /**
   * What the process says of itself; null when it does not keep an account of itself, undefined when
   * it does not answer in time.
   */
  read(address: string): Promise<VitalsReport | null | undefined>
  /** The points that another gateway keeps of an instance; none when it does not answer. */
  readPoints(address: string, instanceId: string): Promise<unknown>
  close(): Promise<void>
}

/** Where a gateway tells the others, on its metrics port, what it keeps of an instance. */
export const pointsPath = '/internal/v1/system/points'

// A round is a second long: who takes longer has nothing to say in it.
const probeLimitMs = 800
// An account is some KB; five minutes of points are 60 KB.
const maxBytes = 512 * 1024

export function createVitalsReader(internalSecret: string): VitalsReader {
  const agent = new Agent({
    connections: 1,
    pipelining: 1,
    connect: { timeout: probeLimitMs },
    // Between two rounds it stays; when nobody watches any more it goes.
    keepAliveTimeout: 10_000,
  })
  const headers = { authorization: internalAuthorization(internalSecret) }

  async function get(address: string, path: string) {
    const answer = await agent.request({
      ...{ origin: address, path, method: 'GET', headers },
      signal: AbortSignal.timeout(probeLimitMs),
    })
    let text = ''
    for await (const chunk of answer.body) {
      text += chunk
      if (text.length > maxBytes) throw new Error('The answer is too large.')
    }
    return answer.statusCode === 200 ? (JSON.parse(text) as unknown) : undefined
  }

  return {
    async read(address) {
      try {
        const report = (await get(address, vitalsPath)) as VitalsReport | undefined
        return report ?? null
      } catch (error) {
        // Not to answer is an answer here, whatever the reason.
        if (error instanceof Error) return undefined
        throw error
      }
    },
    async readPoints(address, instanceId) {
      try {
        return await get(address, `${pointsPath}?id=${encodeURIComponent(instanceId)}`)
      } catch (error) {
        if (error instanceof Error) return undefined
        throw error
      }
    },
    close: () => agent.destroy(),
  }
}
