import assert from 'node:assert/strict'
import { test } from 'node:test'
import { deviceOf } from '../src/server/device.ts'

const agents = {
  'Firefox · Linux': 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0',
  'Edge · Windows':
    'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/140.0.0.0 Safari/537.36 Edg/140.0',
  'Chrome · Android':
    'Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 Chrome/140.0.0.0 Mobile Safari/537.36',
  'Chrome · Linux':
    'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 HeadlessChrome/140.0.0.0 Safari/537.36',
  'Safari · iOS':
    'Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Version/18.0 Mobile/15E148 Safari/604.1',
}

test('a browser has a name that its owner knows it by', () => {
  for (const [name, agent] of Object.entries(agents)) {
    assert.equal(deviceOf(new Headers({ 'user-agent': agent })), name)
  }
  assert.equal(deviceOf(new Headers({ 'user-agent': 'curl/8' })), undefined)
  assert.equal(deviceOf(new Headers()), undefined)
})
