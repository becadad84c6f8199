import { useSyncExternalStore } from 'react'

const never = () => () => undefined

/** False on the server and in its HTML, true once scripts run: for what only they can do. */
export function useHydrated(): boolean {
  return useSyncExternalStore(
    never,
    () => true,
    () => false,
  )
}
