import { parseArgs } from 'node:util'
import { AppError } from '@halles/kit/errors'
import { askControl } from '../control.ts'
import { type Credentials, openSession, type Session } from '../shop-session.ts'
import { type Command, commonOptions, type Input, usage } from './command.ts'
import { commands } from './commands.ts'
import { printable } from './table.ts'

export type Surroundings = {
  env: Readonly<Record<string, string | undefined>>
  out(text: string): void
  err(text: string): void
  /** Aborted when the person who asked wants no more. */
  signal?: AbortSignal
}

const exits = `Exits 0 when it is done, 1 when it failed or was refused, 2 when called wrongly.`

const localHelp = `  --json                the result as JSON
  --data DIR            folder of the stack (or HALLES_DATA; .halles)
  --help                this text

Acts on this machine, on the stack of the folder, as its owner alone may.
${exits}`

const commonHelp = `  --json                the result as JSON
  --url URL             the shop (the one that runs on the data folder)
  --data DIR            folder with admin.json (or HALLES_DATA; .halles)
  --help                this text

Signs in with HALLES_TOKEN, or HALLES_EMAIL and HALLES_PASSWORD; without them as the administrator of
the data folder.
${exits}`

/** Runs one command line; resolves with the exit code. Throws only what is a bug. */
export async function runHalles(args: readonly string[], around: Surroundings): Promise<number> {
  try {
    const { command, rest } = findCommand(args)
    if (!command) {
      // Asked for help, or called with words that only begin a command.
      const isAsked = args.includes('--help') || args.length === 0
      const known = commands.filter(({ name }) => name.startsWith(rest.join(' ')))
      const shown = describeAll(known.length > 0 ? known : commands)
      if (isAsked) around.out(shown)
      else around.err(`"${printable(args.join(' '))}" is no command.\n\n${shown}`)
      return isAsked ? 0 : 2
    }
    const input = parse(command, rest)
    if (input.options.help === true) {
      around.out(describe(command))
      return 0
    }
    return (await run(command, input, around)) ? 0 : 1
  } catch (error) {
    if (!(error instanceof AppError)) throw error
    const isUsage = error.code === 'USAGE'
    around.err(printable(`${error.message}${isUsage ? '\nTry --help.' : ` (${error.code})`}`))
    return isUsage ? 2 : 1
  }
}

/** The command that the leading words name; without one, the words themselves. */
function findCommand(args: readonly string[]): { command?: Command; rest: readonly string[] } {
  const end = args.findIndex((each) => each.startsWith('-'))
  const words = end < 0 ? args : args.slice(0, end)
  for (let count = words.length; count > 0; count -= 1) {
    const command = commands.find(({ name }) => name === words.slice(0, count).join(' '))
    if (command) return { command, rest: args.slice(count) }
  }
  return { rest: words }
}

function parse(command: Command, args: readonly string[]): Input {
  let parsed: ReturnType<typeof parseArgs>
  try {
    const options = { ...commonOptions, ...command.options }
    parsed = parseArgs({ args: [...args], options, allowPositionals: true })
  } catch (error) {
    throw usage(error instanceof Error ? error.message : String(error))
  }
  const options = parsed.values as Input['options']
  const words = parsed.positionals
  if (options.help === true) return { words, options }
  const missing = command.words.filter((word) => word.startsWith('<'))[words.length]
  if (missing) throw usage(`${command.name} needs ${missing}.`)
  const isRepeated = command.words.at(-1)?.endsWith('…]') === true
  if (words.length > command.words.length && !isRepeated) {
    throw usage(`${command.name} does not take "${words[command.words.length]}".`)
  }
  return { words, options }
}

async function run(command: Command, input: Input, around: Surroundings): Promise<boolean> {
  let session: Promise<Session> | undefined
  if (command.isLocal && input.options.url !== undefined) {
    throw usage(`${command.name} acts on this machine's stack: --data DIR says which.`)
  }
  const dataFolder = dataFolderOf(input, around.env)
  return command.run(input, {
    ...{ dataFolder, env: around.env },
    session() {
      session ??= connect(input, around.env)
      return session
    },
    control: (request, onProgress) => askControl(dataFolder, request, onProgress),
    show: ({ json, text }) =>
      around.out(input.options.json === true ? JSON.stringify(json, null, 2) : text),
    line: around.out,
    progress: around.err,
    signal: around.signal ?? new AbortController().signal,
  })
}

async function connect(input: Input, env: Surroundings['env']): Promise<Session> {
  const { options } = input
  const url = typeof options.url === 'string' ? options.url : undefined
  const host = url === undefined ? 'localhost' : URL.parse(url)?.hostname
  if (url !== undefined && !/^https?:$/.test(URL.parse(url)?.protocol ?? '')) {
    throw usage(`--url: "${url}" is not an http(s) address.`)
  }
  const credentials = readCredentials(env)
  // The password of this machine's administrator is nobody else's business.
  if (!credentials && !['localhost', '127.0.0.1', '[::1]'].includes(host ?? '')) {
    throw usage('For a remote shop set HALLES_TOKEN, or HALLES_EMAIL and HALLES_PASSWORD.')
  }
  return openSession({ dataFolder: dataFolderOf(input, env), url, credentials })
}

function dataFolderOf({ options }: Input, env: Surroundings['env']): string {
  return typeof options.data === 'string' ? options.data : (env.HALLES_DATA ?? '.halles')
}

function readCredentials(env: Surroundings['env']): Credentials | undefined {
  const { HALLES_TOKEN: token, HALLES_EMAIL: email, HALLES_PASSWORD: password } = env
  if (token) return { token }
  if (email && password) return { email, password }
  if (email || password) throw usage('HALLES_EMAIL and HALLES_PASSWORD go together.')
  return undefined
}

/** The help of one command. */
export function describe({ name, words, summary, help, example, isLocal }: Command): string {
  const line = `npm run halles -- ${[name, ...words].join(' ')} [options]`
  const shown = `Example: npm run halles -- ${[name, ...(example === undefined ? [] : [example])].join(' ')}`
  const own = help === '' ? [] : [help]
  return [line, summary, ...own, shown, isLocal ? localHelp : commonHelp].join('\n\n')
}

function describeAll(some: readonly Command[]): string {
  const titles = some.map(({ name, words }) => [name, ...words].join(' '))
  const width = Math.max(...titles.map((title) => title.length))
  const lines = some.map(({ summary }, index) => `  ${titles[index]?.padEnd(width)}  ${summary}`)
  return ['npm run halles -- COMMAND [options]', lines.join('\n'), commonHelp].join('\n\n')
}
