import { notFound } from '../server/page.server.ts'

export function loader(): never {
  throw notFound()
}

// Without a component an error thrown here would be answered as plain data.
export default function NotFound() {
  return null
}
