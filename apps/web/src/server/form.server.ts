import type { PageProblem } from '../problem.ts'
import { problemOf } from './page.server.ts'

/** A field's text, trimmed; empty when it is missing or a file. */
export function textOf(form: FormData, name: string): string {
  const value = form.get(name)
  return typeof value === 'string' ? value.trim() : ''
}

/** A whole number within bounds, else the fallback. */
export function numberOf(
  form: FormData,
  name: string,
  { min, max, fallback }: { min: number; max: number; fallback: number },
): number {
  const text = textOf(form, name)
  const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN
  return Number.isNaN(value) ? fallback : Math.min(max, Math.max(min, value))
}

/** What a form shows again after a refusal: the code, and which fields. */
export type Refusal = { code: string; fields: readonly string[] }

/** A refusal that the form can show; everything else is thrown on, to the error boundary. */
export function refusalOf(error: unknown): Refusal {
  const problem = problemOf(error)
  if (!problem) throw error
  return { code: problem.status >= 500 ? 'unavailable' : problem.code, fields: fieldsOf(problem) }
}

const fieldsOf = ({ errors = [] }: PageProblem) =>
  errors.map(({ pointer }) => pointer.split('/').at(-1) ?? '')
