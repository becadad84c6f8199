import { deadlineExceeded } from '@halles/kit/resilience'
import type { Exchange } from '../answer.ts'

/** Gives a request the time of its route, counted from its arrival. */
export function startDeadline(exchange: Exchange, deadlineMs: number): void {
  exchange.deadlineAtMs = exchange.startedAtMs + deadlineMs
}

/** Whole milliseconds that are left. Throws timeout `DEADLINE_EXCEEDED` when none is. */
export function leftMs({ deadlineAtMs }: Exchange, nowMs = performance.now()): number {
  const left = Math.floor(deadlineAtMs - nowMs)
  if (left < 1) throw deadlineExceeded()
  return left
}

/**
 * Waits without spending the request's time: a slow upload is the client's own, and the server has
 * a limit for it.
 */
export async function outsideDeadline<T>(exchange: Exchange, work: T | Promise<T>): Promise<T> {
  const beganMs = performance.now()
  const result = await work
  exchange.deadlineAtMs += performance.now() - beganMs
  return result
}
