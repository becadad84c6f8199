import { parseArgs } from 'node:util'
import { startTestPostgres } from '../../stack/src/test-postgres.ts'
import { get } from './door-cases.ts'
import { startEdge } from './edge.ts'
import { fuzz } from './fuzzing.ts'
import { converse } from './raw.ts'

const help = `Says random things to the edge: node tests/edge/fuzz.ts [--runs N] [--seed N]

HALLES_TEST_EDGE_URL names an edge that runs already; without it a gateway is started here.
`

const { values } = parseArgs({
  options: { runs: { type: 'string' }, seed: { type: 'string' }, help: { type: 'boolean' } },
})
if (values.help) process.stdout.write(help)
else process.exitCode = await run()

async function run(): Promise<number> {
  const runs = Number(values.runs ?? 100_000)
  const seed = Number(values.seed ?? Date.now() % 1_000_000)
  const isElsewhere = process.env.HALLES_TEST_EDGE_URL !== undefined
  const postgres = isElsewhere ? undefined : await startTestPostgres()
  if (postgres) process.env.HALLES_TEST_POSTGRES = postgres.url
  try {
    const edge = await startEdge()
    const { byStatus, faults } = await fuzz({ address: edge.address, runs, seed })
    const next = await converse(edge.address, { parts: [get('/healthz')], expected: 1 })
    await edge.stop()
    const isWell = next.answers[0]?.status === 200
    process.stdout.write(`seed ${seed}, ${runs} runs: ${JSON.stringify(byStatus)}\n`)
    for (const fault of faults) process.stdout.write(`${JSON.stringify(fault)}\n`)
    if (!isWell) process.stdout.write('The edge does not answer a plain request afterwards.\n')
    return faults.length === 0 && isWell ? 0 : 1
  } finally {
    await postgres?.stop()
  }
}
