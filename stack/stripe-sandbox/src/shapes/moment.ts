import type { Mint } from '../ids.ts'

/** When it happens (seconds since 1970, as everywhere in the API) and where new ids come from. */
export type Moment = { at: number; mint: Mint }
