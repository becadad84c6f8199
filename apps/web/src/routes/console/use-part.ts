import { useCallback, useEffect, useState } from 'react'
import type { PartAnswer, PartRecord } from './part.ts'
import type { Part } from './picture.ts'

// Errors are read anew this often while the panel is open; numbers come with the pictures.
const everyMs = 10_000
// Longer than the server waits for any answer of the API.
const limitMs = 20_000

export const isService = ({ kind }: Part) => ['service', 'gateway', 'app'].includes(kind)

/**
 * What the instances remember, read when the panel opens and now and then. Not by a fetcher of the
 * router: the page must outlive that what it shows is away, its own server among it.
 */
export function useRecord(part: Part): PartRecord | undefined {
  const [known, setKnown] = useState<{ address: string; record: PartRecord }>()
  // One that never said its name is known by its address, and remembers nothing to be read.
  const named = part.lamps.filter(({ id }) => !id.includes('/'))
  const query = named.map(({ id }) => `instance=${encodeURIComponent(id)}`).join('&')
  const address = isService(part) && query !== '' ? `/console/parts/${part.id}?${query}` : undefined
  useEffect(() => {
    if (address === undefined) return
    const left = new AbortController()
    const read = async () => {
      if (document.visibilityState !== 'visible') return
      const record = await ask<PartRecord>(address, { signal: left.signal })
      if (record && !left.signal.aborted) setKnown({ address, record })
    }
    void read()
    const timer = setInterval(() => void read(), everyMs)
    return () => {
      left.abort()
      clearInterval(timer)
    }
  }, [address])
  return known?.address === address ? known?.record : undefined
}

/** Sends what an operator asks for; `answer` is of the last time, and of this part. */
export function usePartAction(partId: string) {
  const [isBusy, setBusy] = useState(false)
  const [last, setLast] = useState<{ partId: string; answer: PartAnswer }>()
  const send = useCallback(
    async (runsAs: string, form: FormData) => {
      setBusy(true)
      const body = new URLSearchParams()
      for (const [name, value] of form) if (typeof value === 'string') body.set(name, value)
      const answer = await ask<PartAnswer>(`/console/parts/${runsAs}`, { method: 'POST', body })
      setLast({ partId, answer: answer ?? { ok: false, code: 'unavailable', fields: [] } })
      setBusy(false)
    },
    [partId],
  )
  return { isBusy, send, answer: last?.partId === partId ? last.answer : undefined }
}

/** The answer, or undefined when there is none that can be read: then the picture tells more. */
async function ask<T>(address: string, init: RequestInit): Promise<T | undefined> {
  const limit = AbortSignal.timeout(limitMs)
  try {
    const signal = init.signal ? AbortSignal.any([init.signal, limit]) : limit
    const answer = await fetch(address, { ...init, signal })
    const isOurs = answer.ok || answer.status === 422
    return isOurs && !answer.redirected ? ((await answer.json()) as T) : undefined
  } catch (error) {
    // The server is away, or the panel was closed: both are seen elsewhere.
    if (error instanceof Error) return undefined
    throw error
  }
}
