import assert from 'node:assert/strict'
import { type Operations as Auth, routes as auth } from '@halles/contracts/gen/http/auth'
import { type Operations as Carts, routes as carts } from '@halles/contracts/gen/http/carts'
import {
  type Operations as Customers,
  routes as customers,
} from '@halles/contracts/gen/http/customers'
import { type Operations as Gateway, routes as gateway } from '@halles/contracts/gen/http/gateway'
import { type Operations as Orders, routes as orders } from '@halles/contracts/gen/http/orders'
import {
  type Operations as Payments,
  routes as payments,
} from '@halles/contracts/gen/http/payments'
import {
  type Operations as Products,
  routes as products,
} from '@halles/contracts/gen/http/products'
import { type Operations as Rbac, routes as rbac } from '@halles/contracts/gen/http/rbac'
import {
  type Operations as Wishlists,
  routes as wishlists,
} from '@halles/contracts/gen/http/wishlists'
import type { Problem } from '@halles/kit/errors'

export type Operations = Auth &
  Carts &
  Customers &
  Gateway &
  Orders &
  Payments &
  Products &
  Rbac &
  Wishlists

const routes = {
  ...auth,
  ...carts,
  ...customers,
  ...gateway,
  ...orders,
  ...payments,
  ...products,
  ...rbac,
  ...wishlists,
}

export type Operation = keyof Operations

export type Input<Name extends Operation> = {
  params?: Operations[Name]['params']
  query?: Partial<Operations[Name]['query']>
  body?: Operations[Name]['body']
  headers?: Record<string, string>
  token?: string | undefined
}

export type Answer<Body = unknown> = { status: number; headers: Headers; body: Body }

export type RawRequest = {
  method: string
  /** Path and query. */
  target: string
  headers?: Record<string, string>
  body?: string | Uint8Array<ArrayBuffer> | undefined
}

/** A client of the public API: it knows what the contract says and nothing of the services. */
export type Api = {
  /** Expects the answer that the contract promises. */
  ask<Name extends Operation>(
    operation: Name,
    input?: Input<Name>,
  ): Promise<Operations[Name]['reply']>
  /** Expects a problem of that status, and of that code when one is given. */
  refused<Name extends Operation>(
    operation: Name,
    expected: { status: number; code?: string },
    input?: Input<Name>,
  ): Promise<Problem>
  /** Takes whatever comes. */
  send<Name extends Operation>(operation: Name, input?: Input<Name>): Promise<Answer>
  raw(request: RawRequest): Promise<Answer>
}

// Longer than the gateway's own deadline, so that what we see is its answer.
const answerLimitMs = 30_000

/** @param options.readTries how often a read is sent whose connection breaks; browsers repeat it. */
export function createApi(urlOf: () => string, { readTries = 4 } = {}): Api {
  async function raw({ method, target, headers = {}, body }: RawRequest): Promise<Answer> {
    const init: RequestInit = { method, headers, redirect: 'manual' }
    if (body !== undefined) init.body = body
    for (let count = 1; ; count += 1) {
      try {
        const signal = AbortSignal.timeout(answerLimitMs)
        const response = await fetch(`${urlOf()}${target}`, { ...init, signal })
        const text = await response.text()
        return { status: response.status, headers: response.headers, body: toBody(response, text) }
      } catch (error) {
        // As browsers do: a read whose connection broke is asked again on another one.
        if (method !== 'GET' || count === readTries || isTimeout(error)) throw error
      }
    }
  }

  function send<Name extends Operation>(operation: Name, input: Input<Name> = {}): Promise<Answer> {
    const { method, path } = routes[operation]
    const params = (input.params ?? {}) as Record<string, string>
    const query = new URLSearchParams(
      Object.entries(input.query ?? {}).map(([name, value]): [string, string] => [
        name,
        String(value),
      ]),
    )
    const { body } = input
    const isText = typeof body === 'string'
    return raw({
      method,
      target: `${path.replaceAll(/\{(\w+)\}/g, (_all, name: string) => params[name] ?? '')}${
        query.size > 0 ? `?${query}` : ''
      }`,
      headers: {
        ...(input.token === undefined ? {} : { authorization: `Bearer ${input.token}` }),
        ...(body === undefined ? {} : { 'content-type': isText ? 'text/csv' : 'application/json' }),
        ...input.headers,
      },
      body: body === undefined || typeof body === 'string' ? body : JSON.stringify(body),
    })
  }

  return {
    raw,
    send,
    async ask(operation, input) {
      const answer = await send(operation, input)
      const { responses } = routes[operation]
      assert.ok(
        String(answer.status) in responses,
        `${operation} answered ${answer.status}: ${JSON.stringify(answer.body)}`,
      )
      return answer.body as Operations[typeof operation]['reply']
    },
    async refused(operation, { status, code }, input) {
      const answer = await send(operation, input)
      const problem = toProblem(answer)
      const said = `${operation} answered ${answer.status}: ${JSON.stringify(answer.body)}`
      assert.equal(answer.status, status, said)
      if (code !== undefined) assert.equal(problem.code, code, said)
      return problem
    },
  }
}

/** The problem document of an answer; throws when it is none. */
export function toProblem({ status, headers, body }: Answer): Problem {
  const type = headers.get('content-type') ?? ''
  assert.match(type, /^application\/problem\+json/, `${status} ${type}: ${JSON.stringify(body)}`)
  const problem = body as Problem
  assert.equal(problem.status, status)
  assert.match(problem.code, /^[A-Z][A-Z0-9_]+$/)
  return problem
}

function toBody(response: Response, text: string): unknown {
  const type = response.headers.get('content-type') ?? ''
  return /[/+]json/.test(type) && text !== '' ? JSON.parse(text) : text
}

function isTimeout(error: unknown): boolean {
  return error instanceof Error && error.name === 'TimeoutError'
}
