import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { after, describe, test } from 'node:test'
import { eventually, freePort } from '@halles/kit/testing'
import { commands } from '../src/cli/commands.ts'
import { commandLineDocument } from '../src/cli/document.ts'
import { runHalles } from '../src/cli/run.ts'

const dataFolder = mkdtempSync(join(tmpdir(), 'halles-machine-'))
const logFolder = join(dataFolder, 'logs')
mkdirSync(logFolder)
after(() => rmSync(dataFolder, { recursive: true }))

async function halles(args: string[], signal?: AbortSignal) {
  const ended = { code: -1, out: '', err: '' }
  const running = runHalles(args, {
    env: { HALLES_DATA: dataFolder },
    out: (text) => {
      ended.out += `${text}\n`
    },
    err: (text) => {
      ended.err += `${text}\n`
    },
    ...(signal && { signal }),
  }).then((code) => {
    ended.code = code
  })
  return { ended, running }
}

async function finished(...args: string[]) {
  const { ended, running } = await halles(args)
  await running
  return ended
}

test('docs/command-line.md says what the commands say of themselves', () => {
  const file = resolve(import.meta.dirname, '../../docs/command-line.md')
  assert.equal(
    readFileSync(file, 'utf8'),
    commandLineDocument(commands),
    'Write it anew: node stack/src/cli/write-document.ts',
  )
})

describe('completion', () => {
  const complete = (script: string, ...words: string[]) =>
    execFileSync('bash', [
      ...['--norc', '-c'],
      `${script}\nCOMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _halles; printf '%s\\n' "\${COMPREPLY[@]}"`,
      ...['bash', 'halles', ...words],
    ])
      .toString()
      .trim()
      .split('\n')

  test('bash completes commands, their second words and their options', async () => {
    const { code, out } = await finished('completion', 'bash')
    assert.equal(code, 0)
    const firstWords = new Set(commands.map(({ name }) => name.split(' ')[0]))
    assert.deepEqual(new Set(complete(out, '')), firstWords)
    assert.deepEqual(complete(out, 'dead-letters', 're'), ['replay'])
    assert.deepEqual(complete(out, 'roles', ''), ['list', 'show', 'grant', 'revoke'])
    assert.deepEqual(complete(out, 'dead-letters', 'replay', '--ra'), ['--rate'])
    assert.deepEqual(complete(out, 'logs', 'carts', '--fo'), ['--follow'])
    assert.deepEqual(complete(out, 'up', '--ur'), [''])
  })

  test('zsh and fish have theirs, and another shell is refused', async () => {
    for (const shell of ['zsh', 'fish']) {
      const { code, out } = await finished('completion', shell)
      assert.equal(code, 0)
      for (const { name } of commands) assert.ok(out.includes(name.split(' ')[0] ?? ''), name)
    }
    const { code, err } = await finished('completion', 'toString')
    assert.equal(code, 2)
    assert.match(err, /bash, zsh, fish/)
  })
})

describe('logs', () => {
  const line = (minutesAgo: number, message: string, more = {}) => {
    const time = new Date(Date.now() - minutesAgo * 60_000).toISOString()
    return JSON.stringify({ level: 'info', time, instance: 'carts-1', message, ...more })
  }

  test('lines of all parts come in order of time, as people or programs read them', async () => {
    const late = line(1, 'late', { error: { code: 'GONE', message: 'Away.', stack: 'x' } })
    writeFileSync(join(logFolder, 'carts.log.1'), `${line(90, 'oldest')}\n`)
    writeFileSync(join(logFolder, 'carts.log'), `${line(60, 'old')}\n${late}\n`)
    const moment = new Date(Date.now() - 300_000).toISOString().slice(0, 23).replace('T', ' ')
    writeFileSync(join(logFolder, 'postgres.log'), `${moment} UTC [7] LOG:  checkpoint\u001b[2J\n`)
    const all = await finished('logs')
    assert.equal(all.code, 0)
    assert.deepEqual(
      all.out.match(/oldest|old(?!est)|checkpoint|late/g),
      ['oldest', 'old', 'checkpoint', 'late'],
      all.out,
    )
    assert.match(all.out, /info {3}carts-1 {2}late {2}error=GONE: Away\.$/m)
    assert.ok(!all.out.includes('\u001b'))
    assert.equal((await finished('logs', 'carts', '--since', '15m', '--json')).out, `${late}\n`)
    assert.equal((await finished('logs', '--grep', 'GONE', '--json')).out, `${late}\n`)
    assert.equal((await finished('logs', '--lines', '1', '--json')).out, `${late}\n`)
    const unknown = await finished('logs', 'coffee')
    assert.equal(unknown.code, 2)
    assert.match(unknown.err, /carts, postgres/)
  })

  test('a log that is followed shows what is written later, also after it was begun anew', async () => {
    const stop = new AbortController()
    const { ended, running } = await halles(
      ['logs', 'carts', '--follow', '--lines', '1'],
      stop.signal,
    )
    await eventually(() => assert.match(ended.out, /late/))
    const file = join(logFolder, 'carts.log')
    appendFileSync(file, '{"message":"half ')
    appendFileSync(file, 'a line"}\n')
    await eventually(() => assert.match(ended.out, /half a line/))
    writeFileSync(file, '{"message":"anew"}\n')
    await eventually(() => assert.match(ended.out, /anew/))
    stop.abort()
    await running
    assert.equal(ended.code, 0)
  })
})

test('who stops what does not run is told so, and nothing has failed', async () => {
  const { code, out } = await finished('down')
  assert.equal(code, 0)
  assert.match(out, /No stack runs on/)
})

test('a start that fails in the background says why, and leaves nothing behind', async () => {
  const { code, err } = await finished('up', '--port', '70000')
  assert.equal(code, 1)
  assert.match(err, /"70000" is not a port/)
})

describe('the doctor', () => {
  const listen = (port: number) =>
    new Promise<Server>((settle) => {
      const server = createServer().listen({ port, host: '127.0.0.1' }, () => settle(server))
    })

  test('finds this machine fit, in words and as JSON', async () => {
    const port = String(await freePort())
    const { code, out } = await finished('doctor', '--port', port, '--json')
    const { isWell, findings } = JSON.parse(out) as {
      isWell: boolean
      findings: { name: string; level: string; todo?: string }[]
    }
    assert.equal(code, isWell ? 0 : 1)
    const levelOf = (name: string) => findings.find((each) => each.name === name)?.level
    for (const name of ['Node', 'data folder', 'port', 'user', 'PostgreSQL', 'brokers']) {
      assert.equal(levelOf(name), 'ok', `${name}: ${out}`)
    }
    for (const { name, level, todo } of findings) assert.ok(level === 'ok' || todo, name)
  })

  test('fails for a port that is taken and a broker that does not answer', async () => {
    const port = await freePort()
    const server = await listen(port)
    const env = { HALLES_DATA: dataFolder, REDIS_URL: `redis://127.0.0.1:${await freePort()}` }
    let said = ''
    const out = (text: string) => {
      said += `${text}\n`
    }
    const code = await runHalles(['doctor', '--port', String(port)], { env, out, err: out })
    server.close()
    assert.equal(code, 1)
    assert.match(said, /^fail +port +\d+ is taken/m)
    assert.match(said, /^fail +brokers +.*REDIS_URL/m)
  })
})
