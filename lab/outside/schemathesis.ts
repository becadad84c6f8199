import { join } from 'node:path'
import { contentHash } from '../../stack/src/tools/cache-folder.ts'
import { pythonTool } from '../../stack/src/tools/python-tool.ts'

const requirements = join(import.meta.dirname, 'requirements.txt')

/** The Python that has Schemathesis, at the versions of requirements.txt. */
export const schemathesis = pythonTool({
  name: 'Schemathesis',
  folder: `schemathesis-${contentHash(requirements)}`,
  packages: ['--no-deps', '--requirement', requirements],
})
