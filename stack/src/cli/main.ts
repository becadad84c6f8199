import { errorCode } from '../files.ts'
import { runHalles } from './run.ts'

// Whoever reads us, `head` for instance, may have seen enough.
process.stdout.on('error', (error) => process.exit(errorCode(error) === 'EPIPE' ? 0 : 1))

process.exitCode = await runHalles(process.argv.slice(2), {
  env: process.env,
  out: (text) => void process.stdout.write(`${text}\n`),
  err: (text) => void process.stderr.write(`${text}\n`),
})
