/** So few pieces of a variant are worth a look; the shop says "low" at about the same. */
export const lowStock = 5
