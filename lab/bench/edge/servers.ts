import { type ChildProcess, fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createConnection } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { eventually, freePort } from '@halles/kit/testing'

/** A process that is measured: who it is, and where it listens. */
export type Server = { pid: number; port: number; stop(): Promise<void> }

const startLimitMs = 20_000

// Linux shares the processor between sessions, and a stack's parts have one each. What stood in the
// client's own would be a fifth cheaper on a busy machine, by where it was started from alone.
const inOwnSession = { detached: true }

/** Does the work and stops what was started for it, also when a signal ends us meanwhile. */
export async function stopAfter<T>(stop: () => Promise<void>, work: () => Promise<T>): Promise<T> {
  const signals = ['SIGINT', 'SIGTERM'] as const
  const onSignal = (signal: string) => {
    process.stderr.write(`${signal}: stopping what was started …\n`)
    void stop().finally(() => process.exit(130))
  }
  for (const signal of signals) process.once(signal, onSignal)
  try {
    return await work()
  } finally {
    for (const signal of signals) process.off(signal, onSignal)
    await stop()
  }
}

/** One of our own scripts, given its port; it says when it listens. */
export async function startScript(script: string): Promise<Server> {
  const port = await freePort()
  const child = fork(join(import.meta.dirname, script), [String(port)], inOwnSession)
  await once(child, 'message', { signal: AbortSignal.timeout(startLimitMs) })
  return { pid: pidOf(child), port, stop: () => end(child) }
}

/** HAProxy with one thread, as it passes requests on when nothing else is asked of it. */
export function startHaproxy(program: string, upstreamPort: number): Promise<Server> {
  const text = (port: number) => `
global
  nbthread 1
  maxconn 2000
defaults
  mode http
  timeout connect 1s
  timeout client 30s
  timeout server 30s
  timeout http-request 10s
  timeout http-keep-alive 60s
listen edge
  bind 127.0.0.1:${port}
  http-reuse always
  server upstream 127.0.0.1:${upstreamPort}
`
  return startProgram(program, 'haproxy.cfg', text, (file) => ['-db', '-f', file])
}

/** nginx with one worker, with a cache in memory's file system or without. */
export function startNginx(
  program: string,
  upstreamPort: number,
  { hasCache }: { hasCache: boolean },
): Promise<Server> {
  // Its worker must be able to write into our folder.
  const user = process.getuid?.() === 0 ? 'user root;' : ''
  const text = (port: number, folder: string) => `
daemon off;
${user}
worker_processes 1;
pid ${folder}/nginx.pid;
error_log ${folder}/error.log;
events { worker_connections 2000; }
http {
  access_log off;
  keepalive_requests 1000000000;
  client_body_temp_path ${folder}/body;
  proxy_temp_path ${folder}/proxy;
  fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi;
  scgi_temp_path ${folder}/scgi;
  proxy_cache_path ${folder}/cache keys_zone=edge:10m;
  upstream service { server 127.0.0.1:${upstreamPort}; keepalive 64; keepalive_requests 1000000000; }
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_pass http://service;
      ${hasCache ? 'proxy_cache edge; proxy_cache_valid 200 10m;' : ''}
    }
  }
}
`
  return startProgram(program, 'nginx.conf', text, (file, folder) => ['-p', folder, '-c', file])
}

async function startProgram(
  program: string,
  name: string,
  text: (port: number, folder: string) => string,
  argumentsFor: (file: string, folder: string) => string[],
): Promise<Server> {
  const folder = mkdtempSync(join(tmpdir(), 'halles-bench-'))
  const port = await freePort()
  const file = join(folder, name)
  writeFileSync(file, text(port, folder))
  const child = spawn(program, argumentsFor(file, folder), {
    stdio: ['ignore', 'pipe', 'pipe'],
    ...inOwnSession,
  })
  process.once('exit', () => child.kill())
  let said = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      said = `${said}${chunk.toString()}`.slice(-2_000)
    })
  }
  const failed = once(child, 'error').then(([error]) => Promise.reject(error))
  const isUp = async () => {
    if (child.exitCode !== null) throw new Error(`${program} ended: ${said}`)
    return isListening(port)
  }
  await Promise.race([failed, eventually(isUp, { limitMs: startLimitMs })])
  return {
    pid: pidOf(child),
    port,
    async stop() {
      await end(child)
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

function pidOf({ pid }: ChildProcess): number {
  if (pid === undefined) throw new Error('The process did not start.')
  return pid
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit')
  child.kill('SIGTERM')
  await ended
}

function isListening(port: number): Promise<boolean> {
  return new Promise((settle) => {
    const socket = createConnection({ host: '127.0.0.1', port })
    socket.once('connect', () => {
      socket.destroy()
      settle(true)
    })
    socket.once('error', () => settle(false))
  })
}
