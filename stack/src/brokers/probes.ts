import { createConnection, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'

/** An address to try, and the words of a broker's protocol that it must answer. */
export type Probe = {
  host: string
  port: number
  isTls: boolean
  question: Buffer
  isAnswer(reply: Buffer): boolean
}

// Long enough for a broker in another building, short enough to ask again soon.
const timeoutMs = 3_000

/** Whether a broker answers there within three seconds. */
export function answers({ host, port, isTls, question, isAnswer }: Probe): Promise<boolean> {
  return new Promise((resolve) => {
    // Whether its certificate is trusted is for its clients to decide, with their settings.
    const socket: Socket = isTls
      ? connectTls({ host, port, servername: host, rejectUnauthorized: false })
      : createConnection({ host, port })
    let reply = Buffer.alloc(0)
    const finish = (isGood: boolean) => {
      socket.destroy()
      resolve(isGood)
    }
    socket.setTimeout(timeoutMs, () => finish(false))
    socket.once(isTls ? 'secureConnect' : 'connect', () => socket.write(question))
    socket.on('data', (chunk: Buffer) => {
      reply = Buffer.concat([reply, chunk])
      if (isAnswer(reply)) finish(true)
    })
    // Refused and reset are the answer "not yet" to this question.
    socket.once('error', () => finish(false))
    socket.once('close', () => finish(false))
  })
}

/** AMQP 0-9-1: after the protocol header a broker sends connection.start, class 10 and method 10. */
export function probeAmqp(url: string): Probe {
  const { protocol, hostname: host, port } = new URL(url)
  const isTls = protocol === 'amqps:'
  return {
    host,
    port: Number(port || (isTls ? 5671 : 5672)),
    isTls,
    question: Buffer.from('AMQP\0\0\x09\x01', 'latin1'),
    isAnswer: (reply) =>
      reply.length >= 11 && reply[0] === 1 && reply.readUInt32BE(7) === 0x000a000a,
  }
}

const correlationId = 0x48616c6c

/** Kafka: an ApiVersions request, version 0, which is answered before anybody signs in. */
export function probeKafka(address: string, isTls = false): Probe {
  const colon = address.lastIndexOf(':')
  const client = 'halles-probe'
  const question = Buffer.alloc(14 + client.length)
  question.writeInt32BE(question.length - 4, 0)
  question.writeInt16BE(18, 4)
  question.writeInt32BE(correlationId, 8)
  question.writeInt16BE(client.length, 12)
  question.write(client, 14)
  return {
    host: address.slice(0, colon),
    port: Number(address.slice(colon + 1)),
    isTls,
    question,
    // Length, correlation id, and error code 0.
    isAnswer: (reply) =>
      reply.length >= 10 && reply.readInt32BE(4) === correlationId && reply.readInt16BE(8) === 0,
  }
}

/** Redis: signs in where the address has a password, then PING. */
export function probeRedis(url: string): Probe {
  const { protocol, hostname: host, port, username, password } = new URL(url)
  const signIn = password === '' ? [] : [toCommand('AUTH', username || 'default', password)]
  return {
    host,
    port: Number(port || 6379),
    isTls: protocol === 'rediss:',
    question: Buffer.from([...signIn, toCommand('PING')].join('')),
    isAnswer: (reply) => reply.toString('latin1').endsWith('+PONG\r\n'),
  }
}

/** HAProxy: its own health, which names the configuration in force; undefined = any. */
export function probeHaproxy(port: number, revision?: string): Probe {
  return {
    host: '127.0.0.1',
    port,
    isTls: false,
    question: Buffer.from('GET /readyz HTTP/1.0\r\n\r\n'),
    isAnswer(reply) {
      const [head = '', body = ''] = reply.toString('latin1').split('\r\n\r\n')
      const isGood = /^HTTP\/1\.\d 200 /.test(head)
      return isGood && (revision === undefined || body === revision)
    },
  }
}

function toCommand(...words: string[]): string {
  const parts = words.map(decodeURIComponent)
  const bulk = parts.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`)
  return `*${parts.length}\r\n${bulk.join('')}`
}
