import { randomInt } from 'node:crypto'
import { createServer } from 'node:net'
import { errorCode, readText } from './files.ts'

const lowestPort = 15_000

/** The first port that the system hands to outgoing connections. */
function ephemeralStart(): number {
  const range = readText('/proc/sys/net/ipv4/ip_local_port_range')
  return Number(range?.split(/\s+/)[0] ?? 32_768)
}

/** Whether nobody listens there. Throws when the port may not be used at all (EACCES …). */
export function isPortFree(port: number, host = '127.0.0.1'): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', (error) =>
      errorCode(error) === 'EADDRINUSE' ? resolve(false) : reject(error),
    )
    server.listen({ port, host, exclusive: true }, () => server.close(() => resolve(true)))
  })
}

/**
 * Chooses a loopback port for every name, keeping the previous one where it is still free.
 * New ones lie below the range of outgoing connections: one of those could otherwise take the port
 * of an instance while that restarts.
 */
export async function choosePorts(
  names: readonly string[],
  previous: Readonly<Record<string, number>>,
): Promise<Record<string, number>> {
  const chosen: Record<string, number> = {}
  // Of instances that do not listen just now too: they come back to their ports.
  const others = Object.entries(previous).filter(([name]) => !names.includes(name))
  const taken = new Set(others.map(([, port]) => port))
  const highest = Math.max(lowestPort + names.length + 1_000, ephemeralStart())
  let candidate = randomInt(lowestPort, highest)
  for (const name of names) {
    const before = previous[name]
    if (before !== undefined && !taken.has(before) && (await isPortFree(before))) {
      chosen[name] = before
      taken.add(before)
      continue
    }
    for (let tries = 0; chosen[name] === undefined; tries += 1) {
      if (tries > highest - lowestPort) throw new Error('No loopback port is free.')
      candidate = candidate + 1 < highest ? candidate + 1 : lowestPort
      if (taken.has(candidate) || !(await isPortFree(candidate))) continue
      chosen[name] = candidate
      taken.add(candidate)
    }
  }
  return chosen
}
