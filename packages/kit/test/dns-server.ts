import { createSocket } from 'node:dgram'
import { once } from 'node:events'

export type SrvRecord = { priority: number; port: number; host: string }
/** What a name has; absent kinds are answered as empty, absent names as unknown. */
export type Zone = Record<string, { a?: readonly string[]; srv?: readonly SrvRecord[] }>

const types = { a: 1, aaaa: 28, srv: 33 } as const
const rcodes = { none: 0, failure: 2, unknown: 3 } as const

/** A name server on a port of 127.0.0.1 whose zone a test changes. */
export async function startDnsServer(zone: Zone) {
  const socket = createSocket('udp4')
  const state = { zone, isFailing: false }
  socket.on('message', (query, { port, address }) => {
    socket.send(answer(query, state), port, address)
  })
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  return {
    address: `127.0.0.1:${socket.address().port}`,
    state,
    async stop() {
      socket.close()
      await once(socket, 'close')
    },
  }
}

/** RFC 1035 §4.1: header, the question as it came, and the records that answer it. */
function answer(query: Buffer, { zone, isFailing }: { zone: Zone; isFailing: boolean }): Buffer {
  const labels: string[] = []
  let offset = 12
  for (let length = query[offset] ?? 0; length > 0; length = query[offset] ?? 0) {
    labels.push(query.toString('latin1', offset + 1, offset + 1 + length))
    offset += 1 + length
  }
  const type = query.readUInt16BE(offset + 1)
  const question = query.subarray(12, offset + 5)
  const entry = zone[labels.join('.').toLowerCase()]
  const datas = isFailing || !entry ? [] : recordsOf(entry, type)
  const rcode = isFailing ? rcodes.failure : entry ? rcodes.none : rcodes.unknown
  const header = Buffer.alloc(12)
  query.copy(header, 0, 0, 2)
  header.writeUInt16BE(0x8180 | rcode, 2)
  header.writeUInt16BE(1, 4)
  header.writeUInt16BE(datas.length, 6)
  const records = datas.map((data) => {
    const fixed = Buffer.alloc(12)
    // The name is a pointer to the question; class IN, no time to live.
    fixed.writeUInt16BE(0xc00c, 0)
    fixed.writeUInt16BE(type, 2)
    fixed.writeUInt16BE(1, 4)
    fixed.writeUInt16BE(data.length, 10)
    return Buffer.concat([fixed, data])
  })
  return Buffer.concat([header, question, ...records])
}

function recordsOf({ a = [], srv = [] }: Zone[string], type: number): Buffer[] {
  if (type === types.a) return a.map((ip) => Buffer.from(ip.split('.').map(Number)))
  if (type !== types.srv) return []
  return srv.map(({ priority, port, host }) => {
    const numbers = Buffer.alloc(6)
    numbers.writeUInt16BE(priority, 0)
    numbers.writeUInt16BE(port, 4)
    const name = host.split('.').map((label) => Buffer.from(`${'\0'}${label}`, 'latin1'))
    for (const label of name) label[0] = label.length - 1
    return Buffer.concat([numbers, ...name, Buffer.alloc(1)])
  })
}
