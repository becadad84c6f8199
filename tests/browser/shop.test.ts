import { describeInBrowser } from './browser.ts'
import { account } from './shop/account.ts'
import { away } from './shop/away.ts'
import { french } from './shop/french.ts'
import { pages } from './shop/pages.ts'
import { prices } from './shop/prices.ts'
import { purchases } from './shop/purchases.ts'

describeInBrowser('The shop in a browser', (world) => {
  pages(world)
  purchases(world)
  prices(world)
  account(world)
  french(world)
  away(world)
})
