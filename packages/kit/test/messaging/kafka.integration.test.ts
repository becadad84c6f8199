import { test } from 'node:test'
import { createTestDatabase } from '../../src/testing.ts'
import { startTcpProxy } from '../tcp-proxy.ts'
import { messagingContract } from './contract.ts'
import { type KafkaProxied, kafkaBrokers, kafkaProxied, whyNoKafka } from './kafka-adapter.ts'
import { kafkaFaults } from './kafka-faults.ts'

if (kafkaBrokers === undefined || kafkaProxied === undefined) {
  test('the contract of the messaging port on Kafka', { skip: whyNoKafka })
} else {
  const ports = kafkaProxied
  messagingContract('topics on Kafka beside embedded queues', () => createHarness(ports))
  // In this file and not in one of their own: the port of the proxy is needed by both.
  kafkaFaults(ports)
}

async function createHarness(ports: KafkaProxied) {
  const queues = await createTestDatabase()
  const direct = new URL(queues.url)
  const proxies = [
    await startTcpProxy(direct.hostname, Number(direct.port)),
    // Kafka tells its clients where to go, which has to be the port of this proxy.
    await startTcpProxy('127.0.0.1', ports.listenPort, ports.advertisedPort),
  ]
  const url = new URL(queues.url)
  url.host = `127.0.0.1:${proxies[0]?.port}`
  return {
    adapter: {
      module: new URL('./kafka-adapter.ts', import.meta.url).href,
      options: { url: url.href, brokers: [`127.0.0.1:${ports.advertisedPort}`] },
    },
    async away() {
      await Promise.all(proxies.map((proxy) => proxy.away()))
    },
    async back() {
      await Promise.all(proxies.map((proxy) => proxy.back()))
    },
    async stop() {
      await Promise.all(proxies.map((proxy) => proxy.away()))
      await queues.drop()
    },
  }
}
