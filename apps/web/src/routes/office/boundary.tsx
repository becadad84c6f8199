import { Outlet } from 'react-router'
import { StaffProblem } from '../../design/StaffProblem.tsx'
import { useOfficeText } from '../../text/office-text.ts'

/** Stands between the navigation and the pages, so that a page that fails leaves the way on. */
export default function Boundary() {
  return <Outlet />
}

export function ErrorBoundary({ error }: { error: unknown }) {
  const { problem } = useOfficeText()
  return <StaffProblem error={error} words={problem} home="/office" />
}
