import { type AddressInfo, createServer, connect as dial, type Server, type Socket } from 'node:net'

export type TcpProxy = { port: number; away(): Promise<void>; back(): Promise<void> }

/** A proxy that can vanish and return, as a server does that is killed and started again. */
export async function startTcpProxy(
  targetHost: string,
  targetPort: number,
  ownPort = 0,
): Promise<TcpProxy> {
  const sockets = new Set<Socket>()
  let server: Server = createServer()

  function forget(socket: Socket): void {
    socket.destroy()
    sockets.delete(socket)
  }

  function listen(port: number): Promise<void> {
    server = createServer((downstream) => {
      const upstream = dial(targetPort, targetHost)
      for (const [socket, peer] of [
        [downstream, upstream],
        [upstream, downstream],
      ] as const) {
        sockets.add(socket)
        socket.setNoDelay(true)
        socket.pipe(peer)
        // The end of either side, by error or not, is the end of both.
        socket.on('error', () => forget(peer))
        socket.on('close', () => {
          sockets.delete(socket)
          forget(peer)
        })
      }
    })
    return new Promise((resolve, reject) => {
      server.once('error', reject)
      server.listen(port, '127.0.0.1', resolve)
    })
  }

  await listen(ownPort)
  const { port } = server.address() as AddressInfo
  return {
    port,
    away() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      for (const socket of sockets) forget(socket)
      return closed
    },
    back: () => listen(port),
  }
}
