import { type Command, commonOptions, usage } from './command.ts'

type Write = (commands: readonly Command[]) => string

const shells: Readonly<Record<string, Write>> = { bash: toBash, zsh: toZsh, fish: toFish }

/** The command that writes completions of all, itself among them. */
export const createCompletion = (commands: () => readonly Command[]): Command => ({
  name: 'completion',
  summary: 'A script that lets a shell complete these commands.',
  isLocal: true,
  words: ['<shell>'],
  options: {},
  help: `  <shell>               ${Object.keys(shells).join(', ')}

It completes "halles", which you have to have as a name for it:
  alias halles='npm run --silent halles --'
  source <(npm run --silent halles -- completion bash)`,
  example: 'bash',
  async run({ words: [shell = ''] }, { show }) {
    const write = Object.hasOwn(shells, shell) ? shells[shell] : undefined
    if (!write) throw usage(`"${shell}" is no shell that is known; these: bash, zsh, fish.`)
    const text = write(commands())
    show({ json: { shell, script: text }, text })
    return true
  },
})

/** What may follow each beginning of a command: `dead-letters` is followed by `list`, `show` … */
function nextWords(commands: readonly Command[]): Map<string, Set<string>> {
  const next = new Map<string, Set<string>>([['', new Set()]])
  for (const { name } of commands) {
    const words = name.split(' ')
    words.forEach((word, index) => {
      const begun = words.slice(0, index).join(' ')
      next.set(begun, (next.get(begun) ?? new Set()).add(word))
    })
  }
  return next
}

function optionsOf({ options, isLocal }: Command): string[] {
  const common = Object.keys(commonOptions).filter((name) => !isLocal || name !== 'url')
  return [...Object.keys(options), ...common].map((name) => `--${name}`)
}

const cases: Write = (commands) =>
  [
    ...[...nextWords(commands)].map(([begun, words]) => [begun, [...words].join(' ')]),
    ...commands.map((command) => [command.name, optionsOf(command).join(' ')]),
  ]
    .map(([begun, words]) => `    '${begun}') words='${words}' ;;`)
    .join('\n')

/** Bash's and zsh's answer: the longest beginning that is known says what may follow. */
const choose: Write = (commands) => `_halles_words() {
  local begun="$1" words=''
  case "$begun" in
${cases(commands)}
  esac
  printf '%s' "$words"
}`

function toBash(commands: readonly Command[]): string {
  return `${choose(commands)}
_halles() {
  local index begun='' next words='' current="\${COMP_WORDS[COMP_CWORD]}"
  for ((index = 1; index < COMP_CWORD; index++)); do
    next="\${begun:+$begun }\${COMP_WORDS[index]}"
    [ -n "$(_halles_words "$next")" ] || break
    begun="$next"
  done
  words="$(_halles_words "$begun")"
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _halles halles`
}

function toZsh(commands: readonly Command[]): string {
  return `#compdef halles
${choose(commands)}
_halles() {
  local index begun='' next
  for ((index = 2; index < CURRENT; index++)); do
    next="\${begun:+$begun }\${words[index]}"
    [ -n "$(_halles_words "$next")" ] || break
    begun="$next"
  done
  compadd -- \${=$(_halles_words "$begun")}
}
compdef _halles halles`
}

function toFish(commands: readonly Command[]): string {
  const lines = [...nextWords(commands)].flatMap(([begun, words]) =>
    [...words].map((word) => {
      const isHere =
        begun === ''
          ? '__fish_use_subcommand'
          : `__fish_seen_subcommand_from ${begun.split(' ').at(-1)}`
      const { summary = '' } =
        commands.find(({ name }) => name === [begun, word].join(' ').trim()) ?? {}
      return `complete -c halles -f -n '${isHere}' -a ${word} -d '${summary.replaceAll("'", '’')}'`
    }),
  )
  const options = commands.flatMap((command) => {
    const last = command.name.split(' ').at(-1)
    return optionsOf(command).map(
      (option) =>
        `complete -c halles -n '__fish_seen_subcommand_from ${last}' -l ${option.slice(2)}`,
    )
  })
  return [...lines, ...options].join('\n')
}
