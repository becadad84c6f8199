/** What an error boundary and a form know of a refusal: RFC 9457, and whose it is. */
export type PageProblem = {
  status: number
  /** Stable, UPPER_SNAKE. */
  code: string
  /** The service that refused or is away. */
  part: string
  detail: string
  errors?: readonly { pointer: string; detail: string }[]
  [member: string]: unknown
}
