import { hash, verify } from '@node-rs/argon2'
import { AppError } from './errors.ts'
import { createBulkhead } from './resilience.ts'

export type PasswordHasher = {
  /** Hashes a password in PHC format. @throws unavailable `HASHING_BUSY`. */
  hash(password: string): Promise<string>
  /** Whether the password is the one that was hashed. @throws unavailable `HASHING_BUSY`. */
  verify(hashed: string, password: string): Promise<boolean>
}

// OWASP's first recommendation for argon2id: 19 MiB, two passes, one lane.
const parameters = { memoryCost: 19_456, timeCost: 2, parallelism: 1 }

/**
 * argon2id with a bound on how many run and wait: a hash costs about 13 ms of one core, so a queue
 * without end would turn a burst of sign-ins into minutes of waiting for all.
 * @param options.concurrency the number of cores. @param options.queueLimit hashes that may wait.
 */
export function createPasswordHasher(options: {
  concurrency: number
  queueLimit: number
}): PasswordHasher {
  const bulkhead = createBulkhead({
    limit: options.concurrency,
    queueLimit: options.queueLimit,
    refuse: () =>
      new AppError('unavailable', 'HASHING_BUSY', 'Too many people sign in right now.', {
        retryAfterSeconds: 1,
      }),
  })
  return {
    hash: (password) => bulkhead.run(() => hash(password, parameters)),
    verify: (hashed, password) => bulkhead.run(() => verify(hashed, password)),
  }
}
