import assert from 'node:assert/strict'
import { routes, type SystemPicture } from '@halles/contracts/gen/http/gateway'

// Callers find out within two seconds what stands still, on a machine that has other work too.
const limitMs = 60_000

/** Watches the system as the console does, until a picture shows what is meant. */
export async function pictureWith(
  { url, token }: { url: string; token: string },
  isMeant: (picture: SystemPicture) => boolean,
): Promise<SystemPicture> {
  const answer = await fetch(`${url}${routes.watchSystem.path}`, {
    headers: { authorization: `Bearer ${token}` },
    signal: AbortSignal.timeout(limitMs),
  })
  assert.equal(answer.status, 200)
  let text = ''
  for await (const chunk of answer.body?.pipeThrough(new TextDecoderStream()) ?? []) {
    text += chunk
    const events = text.split('\n\n')
    text = events.pop() ?? ''
    for (const event of events) {
      const [, data] = /^event: picture\ndata: (.*)$/.exec(event) ?? []
      if (data === undefined) continue
      const picture = JSON.parse(data) as SystemPicture
      if (isMeant(picture)) return picture
    }
  }
  throw new Error('The pictures ended before one showed it.')
}
