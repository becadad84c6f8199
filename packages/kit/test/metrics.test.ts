import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createMetrics, startMetricsServer } from '../src/metrics.ts'

test('metrics are served on a port of their own, with process time and our own', async () => {
  const metrics = createMetrics({ service: 'carts' })
  metrics.observeHttp('/api/v1/carts/:cartId', 'GET', 200, 0.004)
  metrics.counter({ name: 'outbox_sent_total', help: 'Sent.', labels: ['kind'] }).inc({ kind: 'a' })
  metrics.gauge({ name: 'outbox_lag', help: 'Waiting.', collect: (gauge) => gauge.set(7) })
  const server = await startMetricsServer({ metrics, host: '127.0.0.1', port: 0 })
  try {
    const answer = await fetch(`http://127.0.0.1:${server.port}/metrics`)
    const text = await answer.text()
    assert.equal(answer.status, 200)
    for (const line of [
      /^process_cpu_seconds_total\{service="carts"\} [\d.]+$/m,
      /^http_request_duration_seconds_bucket\{le="0\.005",service="carts",route="\/api\/v1\/carts\/:cartId",method="GET",status="200"\} 1$/m,
      /^outbox_sent_total\{kind="a",service="carts"\} 1$/m,
      /^outbox_lag\{service="carts"\} 7$/m,
    ]) {
      assert.match(text, line)
    }
    assert.equal((await fetch(`http://127.0.0.1:${server.port}/other`)).status, 404)
  } finally {
    await server.stop()
  }
})
