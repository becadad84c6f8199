/** One server-sent event: its name, and what it carries. */
export type ServerEvent<Events> = {
  [Name in keyof Events & string]: { event: Name; data: Events[Name]; id: string | undefined }
}[keyof Events & string]

/**
 * Reads server-sent events with JSON in them (WHATWG HTML, “event stream interpretation”) until the
 * server ends the stream; closing the iterator ends it too.
 */
export async function* readEvents(
  body: ReadableStream<Uint8Array>,
): AsyncGenerator<ServerEvent<Record<string, unknown>>> {
  const reader = body.getReader()
  const decoder = new TextDecoder()
  let text = ''
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return
      text += decoder.decode(value, { stream: true })
      // An event ends with an empty line; what follows the last one is not whole yet.
      const blocks = text.split(/\r\n\r\n|\n\n|\r\r/)
      text = blocks.pop() ?? ''
      for (const block of blocks) {
        const event = toEvent(block)
        if (event) yield event
      }
    }
  } finally {
    await reader.cancel()
  }
}

function toEvent(block: string): ServerEvent<Record<string, unknown>> | undefined {
  const fields: Record<string, string[]> = {}
  for (const line of block.split(/\r\n|\n|\r/)) {
    const [, name = '', value = ''] = /^([^:]*):? ?(.*)$/.exec(line) ?? []
    fields[name] = [...(fields[name] ?? []), value]
  }
  // What carries no data is a sign of life, or how soon to come back.
  if (!fields.data) return undefined
  const data: unknown = JSON.parse(fields.data.join('\n'))
  return { event: fields.event?.at(-1) ?? 'message', data, id: fields.id?.at(-1) }
}
