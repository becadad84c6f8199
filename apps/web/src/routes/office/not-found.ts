import { notFound } from '../../server/page.server.ts'

export function loader() {
  throw notFound()
}

export default function NotFound() {
  return null
}
