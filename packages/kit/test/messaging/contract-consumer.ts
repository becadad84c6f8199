/**
 * A consumer in a process of its own, for the contract suite to kill. It records effects until it
 * is killed, or kills itself where its order says so.
 */
import { createDatabase } from '../../src/database.ts'
import { silentLogger } from '../../src/testing.ts'
import { applyOnce, type ConsumerOrder, connectAdapter, consume, numberOf } from './effects.ts'

const order = JSON.parse(process.argv[2] ?? '') as ConsumerOrder
const { maxAttempts } = order
const database = createDatabase({
  url: order.effectsUrl,
  logger: silentLogger(),
  applicationName: order.instance,
  poolSize: 4,
})
const messaging = await connectAdapter(order.adapter, order.instance)
const subscription = consume(
  messaging,
  order.source,
  async (delivery) => {
    if (numberOf(delivery) === order.dieOn) process.kill(process.pid, 'SIGKILL')
    await applyOnce(database, order.consumer, delivery)
    if (order.dieAfterEffect) process.kill(process.pid, 'SIGKILL')
  },
  maxAttempts === undefined ? {} : { maxAttempts },
)
await messaging.start()
await subscription.ready
process.send?.('ready')
process.on('disconnect', () => process.exit(0))
