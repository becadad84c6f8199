import type { Cart } from '@halles/contracts/gen/http/carts'
import { useEffect, useState } from 'react'

/** The cart as it was loaded, and from then on as the server's events tell it. */
export function useLiveCart(loaded: Cart | null) {
  const [live, setLive] = useState<Cart | null>(null)
  const [hasChanged, setHasChanged] = useState(false)
  const [isLive, setIsLive] = useState(false)
  const cartId = loaded?.id
  useEffect(() => {
    if (cartId === undefined) return
    const source = new EventSource('/live/cart')
    source.addEventListener('open', () => setIsLive(true))
    source.addEventListener('error', () => setIsLive(false))
    source.addEventListener('cart', ({ data }) => {
      const next = JSON.parse(data) as Cart
      setLive((before) => {
        if (pricesOf(before ?? loaded) !== pricesOf(next)) setHasChanged(true)
        return next
      })
    })
    return () => source.close()
    // A new version of the same cart needs no new connection.
  }, [cartId])
  const isNewer = live !== null && live.id === cartId && live.version >= (loaded?.version ?? 0)
  return { cart: isNewer ? live : loaded, hasChanged, isLive }
}

function pricesOf(cart: Cart | null): string {
  const lines = cart?.lines ?? []
  return lines.map(({ variantId, unitPrice }) => `${variantId} ${unitPrice.amountMinor}`).join()
}
