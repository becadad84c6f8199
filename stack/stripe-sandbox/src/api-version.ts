/** The one API version that the sandbox speaks: the one pinned by the SDK that payments uses. */
export const apiVersion = '2026-10-28.endive'
