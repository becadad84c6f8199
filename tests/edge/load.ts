import { Agent, request } from 'node:http'

export type Answer = { status: number; headers: Record<string, unknown>; body: string }

type Asked = {
  port: number
  method?: string
  path?: string
  body?: string
  headers?: Record<string, string>
  agent?: Agent
}

/** One request over HTTP/1.1; rejects when the connection breaks before the answer is whole. */
export function ask({ port, method = 'GET', path = '/', body, headers, agent }: Asked) {
  return new Promise<Answer>((resolve, reject) => {
    const options = { host: '127.0.0.1', port, method, path, headers: headers ?? {} }
    const sent = request({ ...options, ...(agent ? { agent } : {}) }, (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => {
        text += chunk
      })
      response.once('error', reject)
      response.once('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text }),
      )
    })
    // Far longer than the balancer's own bounds.
    sent.setTimeout(60_000, () => sent.destroy(new Error('There was no answer for a minute.')))
    sent.once('error', reject)
    sent.end(body)
  })
}

export type Load = {
  /** Requests that were answered by 200 so far. */
  succeeded(): number
  /** Ends the load and tells what went wrong. */
  stop(): Promise<string[]>
}

/** Clients that ask one request after the other over connections that they keep, until stopped. */
export function startLoad(port: number, method: 'GET' | 'POST' = 'GET', clients = 8): Load {
  const failures: string[] = []
  let succeeded = 0
  let isOver = false
  const work = async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    while (!isOver) {
      try {
        const { status, body } = await ask({ port, method, path: `/${succeeded}`, agent })
        if (status === 200) succeeded += 1
        else failures.push(`${status} ${body}`)
      } catch (error) {
        failures.push(String(error))
      }
    }
    agent.destroy()
  }
  const all = Promise.all(Array.from({ length: clients }, work))
  return {
    succeeded: () => succeeded,
    async stop() {
      isOver = true
      await all
      return failures
    },
  }
}
