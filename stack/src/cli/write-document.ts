import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from '../bundle.ts'
import { commands } from './commands.ts'
import { commandLineDocument } from './document.ts'

writeFileSync(join(root, 'docs/command-line.md'), commandLineDocument(commands))
