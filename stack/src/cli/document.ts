import type { Command } from './command.ts'
import { describe } from './run.ts'

/** docs/command-line.md: every command's help, from the table that the commands are run from. */
export function commandLineDocument(commands: readonly Command[]): string {
  const chapters = commands.map(
    (command) => `## ${command.name}\n\n\`\`\`text\n${describe(command)}\n\`\`\`\n`,
  )
  return `# The command line

\`npm run halles -- COMMAND\`. Made from the commands' own help by
\`node stack/src/cli/write-document.ts\`; a test compares it.

Exit codes of every command: 0 when it is done, 1 when it failed or was refused, 2 when it was called
wrongly. \`--json\` gives every result as JSON on the standard output; what a command says meanwhile
goes to the standard error.

${chapters.join('\n')}`
}
