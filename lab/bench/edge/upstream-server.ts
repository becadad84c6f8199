import { createServer } from 'node:http'

/**
 * A service with nothing in it: the same two kilobytes for every address, from Node's own server,
 * so that what stands in front of it is what is measured.
 */
const body = Buffer.from(
  JSON.stringify({
    items: Array.from({ length: 20 }, (_none, index) => ({
      id: `01890a5d-ac96-774b-bcce-b302099a8${String(index).padStart(3, '0')}`,
      title: 'A basket of willow',
      note: 'Always the same.',
    })),
    nextCursor: null,
  }),
)
const headers = {
  'content-type': 'application/json; charset=utf-8',
  'content-length': String(body.length),
  'cache-tag': 'products',
}

const ready = JSON.stringify({
  service: 'upstream',
  id: 'upstream',
  pid: process.pid,
  state: 'ready',
})

const server = createServer({ keepAliveTimeout: 65_000 }, (request, response) => {
  // The gateway asks how it is, as it asks every service.
  if (request.url === '/readyz') response.writeHead(200).end(ready)
  else response.writeHead(200, headers).end(body)
})
server.listen(Number(process.argv[2]), '127.0.0.1', () => process.send?.('ready'))
process.once('disconnect', () => process.exit(0))
process.once('SIGTERM', () => process.exit(0))
