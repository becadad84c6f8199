import { get } from 'node:http'

// A part that answers at all answers in milliseconds; Docker kills a check after 5 s.
const limitMs = 3_000

/** Whether the part that listens on PORT of this machine answers the path with 200. */
export function isAnswering(path: string, env: NodeJS.ProcessEnv = process.env): Promise<boolean> {
  const { HOST, PORT } = env
  const everywhere = HOST === undefined || HOST === '0.0.0.0' || HOST === '::'
  const host = everywhere ? '127.0.0.1' : HOST
  return new Promise((resolve) => {
    const request = get({ host, port: Number(PORT), path, timeout: limitMs }, (answer) => {
      answer.resume()
      resolve(answer.statusCode === 200)
    })
    request.once('timeout', () => request.destroy(new Error('It took too long.')))
    // Nobody listens, or nobody answers: that is the answer.
    request.once('error', () => resolve(false))
  })
}
