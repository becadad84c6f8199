import { startTransition } from 'react'
import { hydrateRoot } from 'react-dom/client'
import { HydratedRouter } from 'react-router/dom'
import { provideShopText } from './text/shop-text.ts'

const { lang } = document.documentElement
// A page has one language; the other one's words are never loaded.
if (lang === 'fr') provideShopText('fr', (await import('./text/shop/fr.ts')).fr)
else provideShopText('en', (await import('./text/shop/en.ts')).en)

startTransition(() => {
  hydrateRoot(document, <HydratedRouter />)
})
