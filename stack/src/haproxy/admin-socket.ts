import { createConnection } from 'node:net'
import { text } from 'node:stream/consumers'

// It answers from memory; a busy machine takes its time.
const limitMs = 2_000
// State 2: the checks were passed, requests are sent to it.
const running = '2'

/** The servers of the backend `gateways` that get requests. Rejects when HAProxy does not answer. */
export async function runningServers(adminSocket: string): Promise<string[]> {
  const answer = await ask(adminSocket, 'show servers state gateways')
  return answer.split('\n').flatMap((line) => {
    const [, , , name = '', , state] = line.split(' ')
    return state === running ? [name] : []
  })
}

async function ask(path: string, question: string): Promise<string> {
  const socket = createConnection({ path, allowHalfOpen: true })
  socket.setTimeout(limitMs, () => socket.destroy(new Error('HAProxy does not answer.')))
  socket.write(`${question}\n`)
  return text(socket).finally(() => socket.destroy())
}
