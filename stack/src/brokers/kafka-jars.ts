import { existsSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { readJson } from '../files.ts'
import { cacheFolder, provideFolder } from '../tools/cache-folder.ts'
import { runTool } from './run-tool.ts'

const version = '4.1.1'

/** The library that Kafka logs with, to the standard error. */
const loggingVersion = '1.7.36'

// Pinned: the one that Maven brings along differs between machines.
const plugin = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies'

// 43 MB, through a slow connection.
const fetchLimitMs = 10 * 60_000

const folderName = `kafka-${version}`

/** Size by name of every jar, written when all had been fetched. */
type Listing = Record<string, number>

/** The folder of Kafka's jars, when all are there. */
export function completeJars(): string | undefined {
  const folder = join(cacheFolder(), folderName)
  return isComplete(folder) ? folder : undefined
}

function isComplete(folder: string): boolean {
  const listing = readJson(join(folder, 'complete.json')) as Listing | undefined
  if (listing === undefined) return false
  return Object.entries(listing).every(([name, size]) => {
    const path = join(folder, name)
    return existsSync(path) && statSync(path).size === size
  })
}

/** Fetches Kafka and what it needs with Maven, which checks what it gets, into the user's cache. */
export function fetchJars(maven: string, signal?: AbortSignal): Promise<string> {
  const fetch = async (draft: string) => {
    writeFileSync(join(draft, 'pom.xml'), projectFile)
    await runTool({
      command: maven,
      args: [
        ...['--batch-mode', '--quiet', '--no-transfer-progress', plugin],
        ...['-DincludeScope=runtime', `-DoutputDirectory=${draft}`],
      ],
      purpose: `Kafka ${version} could not be fetched`,
      limitMs: fetchLimitMs,
      signal,
      cwd: draft,
    })
    const jars = readdirSync(draft).filter((name) => name.endsWith('.jar'))
    const listing: Listing = Object.fromEntries(
      jars.map((name) => [name, statSync(join(draft, name)).size]),
    )
    writeFileSync(join(draft, 'complete.json'), JSON.stringify(listing))
  }
  return provideFolder(folderName, fetch, isComplete)
}

const dependency = (group: string, artifact: string, number: string) =>
  `<dependency><groupId>${group}</groupId><artifactId>${artifact}</artifactId><version>${number}</version></dependency>`

const projectFile = `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>halles</groupId>
  <artifactId>kafka</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <dependencies>
    ${dependency('org.apache.kafka', 'kafka_2.13', version)}
    ${dependency('org.slf4j', 'slf4j-simple', loggingVersion)}
  </dependencies>
</project>
`
