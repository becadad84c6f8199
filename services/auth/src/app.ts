import { createHash, randomBytes } from 'node:crypto'
import type { Operations } from '@halles/contracts/gen/http/auth'
import { setCredentialsSealed } from '@halles/contracts/gen/messages/customers'
import { topics } from '@halles/contracts/gen/topics'
import { uuidv7 } from '@halles/kit/ids'
import { inboxSchema } from '@halles/kit/inbox'
import type { App } from '@halles/kit/lifecycle'
import { outboxSchema } from '@halles/kit/outbox'
import { createPasswordHasher } from '@halles/kit/passwords'
import { createRuntime, openDatabase, openHttpServer } from '@halles/kit/runtime'
import { createOpener } from '@halles/kit/sealing'
import type { Config } from './config.ts'
import { consumeAuth } from './consumers.ts'
import { routes, serveAuth } from './http.ts'
import { createSessionPruner } from './jobs.ts'
import { createKeyRing } from './key-ring.ts'
import type { Deps } from './ports.ts'
import { createCredentialStore } from './store/credentials.ts'
import { createSessionStore } from './store/sessions.ts'
import { createSigningKeyStore } from './store/signing-keys.ts'
import { createTokenIssuer } from './tokens.ts'

export type AuthApp = App & { httpPort(): number }

export type Overrides = { clock?: () => Date }

/** Connects the service; nothing is listened to before `start`. */
export async function createApp(config: Config, overrides: Overrides = {}): Promise<AuthApp> {
  const { clock = () => new Date() } = overrides
  const runtime = createRuntime({
    service: 'auth',
    config,
    topics,
    fetchKeySet: async () => ({ keys: ring.keys().map(({ jwk }) => jwk) }),
  })
  const { logger, metrics, messaging, lifecycle } = runtime
  const database = openDatabase(runtime, {
    url: config.databaseUrl,
    migrations: new URL('../migrations', import.meta.url),
    schemas: [outboxSchema, inboxSchema],
  })
  const passwords = createPasswordHasher({
    concurrency: config.hashingConcurrency,
    queueLimit: config.hashingQueueLimit,
    maxWaitMs: config.hashingMaxWaitMs,
    metrics,
  })
  const ring = createKeyRing({
    store: createSigningKeyStore(database),
    secret: config.signingKeySecret,
    tokenSeconds: config.accessTokenSeconds,
    maxAgeMs: config.signingKeyMaxAgeDays * 86_400_000,
    since: config.signingKeysSince,
    logger,
    clock,
    newId: uuidv7,
  })
  const newSecret = () => randomBytes(32).toString('base64url')
  const deps: Deps = {
    credentials: createCredentialStore(database),
    sessions: createSessionStore(database),
    passwords,
    opener: createOpener({
      privateKeys: config.credentialsPrivateKeys,
      contract: setCredentialsSealed,
    }),
    dummyHash: await passwords.hash(newSecret()),
    tokens: createTokenIssuer(ring, config.accessTokenSeconds),
    clock,
    newId: uuidv7,
    newSecret,
    hash: (text) => createHash('sha256').update(text).digest(),
  }
  const server = openHttpServer<Operations>(runtime, { routes })
  serveAuth(server, { ...deps, ring })
  consumeAuth(messaging, deps)

  lifecycle.add(ring)
  lifecycle.add(createSessionPruner(deps, logger))
  lifecycle.add(server)
  lifecycle.add(messaging)
  return { start: lifecycle.start, stop: lifecycle.stop, httpPort: server.port }
}
