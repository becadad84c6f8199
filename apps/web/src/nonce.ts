import { createContext } from 'react'

/** The page's nonce; known on the server only, where scripts are written. */
export const NonceContext = createContext<string | undefined>(undefined)
