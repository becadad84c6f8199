import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type {
  DeadLetter,
  DeadLetterDetail,
  ReplicaRebuild,
  SystemPicture,
  SystemState,
} from '@halles/contracts/gen/http/gateway'
import { address as credentialCommands } from '@halles/contracts/gen/messages/customers'
import { priceChanged, address as productEvents } from '@halles/contracts/gen/messages/products'
import { AppError } from '@halles/kit/errors'
import { uuidv7 } from '@halles/kit/ids'
import type { Messaging } from '@halles/kit/messaging'
import { eventually } from '@halles/kit/testing'
import { halles } from '../halles.ts'
import { openMessages } from '../messages.ts'
import { pictureWith } from '../pictures.ts'
import { type Shop, unique } from '../shop.ts'
import { withTraffic } from '../traffic.ts'

// A broker may need some seconds to give a message to its consumer after a restart.
const delivered = { limitMs: 30_000, intervalMs: 100 }

/** What could not be applied is found, understood, and replayed or given up, and all of it recorded. */
export function operator(shop: Shop): void {
  const { api, stack, admin, sell, signUp, signIn, cartWith } = shop
  const cli = halles(stack.dataFolder)

  async function withMessages<T>(service: string, work: (messages: Messaging) => Promise<T>) {
    const messages = openMessages(stack, service)
    try {
      return await work(messages)
    } finally {
      await messages.stop()
    }
  }

  /** An event that nobody can read, of a product that nobody has. */
  async function publishPoison(): Promise<string> {
    const productId = uuidv7()
    await withMessages('products', (messages) =>
      messages.publisher.publish([
        {
          address: productEvents,
          message: {
            specversion: '1.0',
            id: uuidv7(),
            source: '/halles/products',
            type: priceChanged.type,
            subject: productId,
            time: new Date().toISOString(),
            datacontenttype: 'application/json',
            partitionkey: productId,
            data: { productId, price: 'a fortune' },
          },
        },
      ]),
    )
    return productId
  }

  async function lettersAbout(subject: string, service?: string): Promise<DeadLetter[]> {
    const query = { limit: 100, ...(service !== undefined && { service }) }
    const { items } = await api.ask('listDeadLetters', { token: await admin(), query })
    return items.filter((letter) => letter.subject === subject)
  }

  const oneLetterAbout = (subject: string, service: string) =>
    eventually(async () => {
      const [letter, ...others] = await lettersAbout(subject, service)
      assert.equal(others.length, 0)
      assert.ok(letter, `No dead letter of ${service} yet.`)
      return letter
    }, delivered)

  /** What the audit log says of a target, oldest first. */
  async function auditedOf(target: string) {
    const query = { limit: 100 }
    const { items } = await api.ask('listAuditLog', { token: await admin(), query })
    return items.filter((entry) => entry.target === target).toReversed()
  }

  describe('An operator', () => {
    test('finds, reads, replays and discards what could not be applied', async () => {
      const subject = await publishPoison()
      const token = await admin()
      const mine = await oneLetterAbout(subject, 'carts')
      assert.equal(mine.code, 'INVALID_MESSAGE')
      const params = { deadLetterId: mine.id }
      const detail = await api.ask('getDeadLetter', { token, params })
      assert.deepEqual(detail.message.data, { productId: subject, price: 'a fortune' })
      assert.equal(detail.history.at(-1)?.code, 'INVALID_MESSAGE')

      await api.ask('replayDeadLetter', { token, params })
      const again = await eventually(async () => {
        const [letter] = await lettersAbout(subject, 'carts')
        assert.ok(letter && letter.deadAt > mine.deadAt, 'It has not failed again yet.')
        return letter
      }, delivered)

      const listed = await cli('dead-letters', 'list', '--service', 'carts', '--json')
      assert.equal(listed.code, 0, listed.err)
      const { items } = JSON.parse(listed.out) as { items: DeadLetter[] }
      assert.ok(items.some(({ id }) => id === again.id))
      const shown = await cli('dead-letters', 'show', again.id, '--json')
      assert.equal((JSON.parse(shown.out) as DeadLetterDetail).message.subject, subject)
      assert.match((await cli('dead-letters', 'show', again.id)).out, /INVALID_MESSAGE.*a fortune/s)
      const unexplained = await cli('dead-letters', 'discard', again.id)
      assert.equal(unexplained.code, 2)
      const reason = `No product has this price (${unique()}).`
      const discarded = await cli('dead-letters', 'discard', again.id, '--reason', reason)
      assert.deepEqual([discarded.code, discarded.err], [0, ''])
      assert.deepEqual(await lettersAbout(subject, 'carts'), [])
      const missing = await cli('dead-letters', 'show', again.id)
      assert.equal(missing.code, 1)
      assert.match(missing.err, /DEAD_LETTER_NOT_FOUND/)

      const first = await auditedOf(`dead-letter:${mine.id}`)
      assert.deepEqual(
        first.slice(0, 2).map(({ action }) => action),
        ['dead-letter-read', 'dead-letter-replay'],
      )
      const last = (await auditedOf(`dead-letter:${again.id}`)).at(-1)
      assert.deepEqual([last?.action, last?.details.reason], ['dead-letter-discard', reason])
    })

    test('replays many at once, and what fails again is there again', async () => {
      const subjects = [await publishPoison(), await publishPoison()]
      const before = await Promise.all(subjects.map((each) => oneLetterAbout(each, 'wishlists')))
      const replay = ['dead-letters', 'replay', '--all', '--service', 'wishlists', '--rate', '20']
      const replayed = await cli(...replay, '--json')
      assert.equal(replayed.code, 0, replayed.err)
      const { replayed: count } = JSON.parse(replayed.out) as { replayed: number }
      assert.ok(count >= before.length)
      for (const [index, subject] of subjects.entries()) {
        await eventually(async () => {
          const [letter] = await lettersAbout(subject, 'wishlists')
          assert.ok(letter && letter.deadAt > (before[index]?.deadAt ?? ''))
        }, delivered)
      }
      const [entry] = (await auditedOf('dead-letters')).slice(-1)
      const ids = entry?.details.deadLetterIds as string[]
      for (const { id } of before) assert.ok(ids.includes(id))
    })

    test('gives up the rest, and then there is no dead letter', async () => {
      const token = await admin()
      const { items } = await api.ask('listDeadLetters', { token, query: { limit: 100 } })
      for (const { id, code } of items) {
        assert.equal(code, 'INVALID_MESSAGE')
        const params = { deadLetterId: id }
        await api.ask('discardDeadLetter', { token, params, body: { reason: 'A test is over.' } })
      }
      await eventually(async () => {
        const { deadLetters } = await api.ask('getSystem', { token })
        assert.equal(deadLetters, 0)
      }, delivered)
    })

    test('who is an auditor lists dead letters and does nothing to them', async () => {
      const person = await signUp()
      const token = await admin()
      const params = { subjectId: person.id }
      await api.ask('putSubjectRoles', { token, params, body: { roles: ['auditor'] } })
      const auditor = await eventually(async () => {
        const session = await signIn(person.email, person.password)
        await api.ask('listDeadLetters', { token: session.token })
        return session
      })
      const subject = await publishPoison()
      const { id } = await oneLetterAbout(subject, 'carts')
      const forbidden = { status: 403, code: 'FORBIDDEN' }
      const letter = { token: auditor.token, params: { deadLetterId: id } }
      await api.refused('getDeadLetter', forbidden, letter)
      await api.refused('replayDeadLetter', forbidden, letter)
      const service = { replicaService: 'carts' } as const
      await api.refused('rebuildReplica', forbidden, { token: auditor.token, params: service })

      const env = { HALLES_EMAIL: person.email, HALLES_PASSWORD: person.password }
      const asAuditor = halles(stack.dataFolder, env)
      const url = ['--url', stack.url]
      assert.match((await asAuditor('dead-letters', 'list', ...url)).out, new RegExp(id))
      const replay = await asAuditor('dead-letters', 'replay', id, ...url)
      assert.equal(replay.code, 1)
      assert.match(replay.err, /FORBIDDEN/)
      for (const each of await lettersAbout(subject)) {
        const end = await cli('dead-letters', 'discard', each.id, '--reason', 'A test is over.')
        assert.equal(end.code, 0, end.err)
      }
    })

    test('who replays an old password late brings no older one back', async () => {
      const person = await signUp()
      const { token, email } = person
      const old = `market-${unique()}`
      const newer = `market-${unique()}`
      const newest = `market-${unique()}`
      const change = (currentPassword: string, newPassword: string, as: string) =>
        api.ask('changePassword', { token: as, body: { currentPassword, newPassword } })
      // By now customers knows the keys of auth, which it cannot ask for while auth is stopped.
      await api.ask('getMe', { token })
      const letter = await stack.without('auth', async () => {
        await change(person.password, old, token)
        return withMessages('auth', (messages) => refuseCommandOf(person.id, messages))
      })
      await change(old, newer, token)
      const session = await signIn(email, newer)
      const replay = await cli('dead-letters', 'replay', letter.id)
      assert.equal(replay.code, 0, replay.err)
      // A change that was sent after the replay shows that the old command has had its turn.
      await change(newer, newest, session.token)
      await signIn(email, newest)
      await eventually(async () => {
        const { queues } = await api.ask('getSystem', { token: await admin() })
        const queue = queues.find(({ name }) => name === credentialCommands.name)
        assert.equal(queue?.waiting ?? 0, 0)
        assert.deepEqual(await lettersAbout(person.id), [])
      }, delivered)
      for (const password of [person.password, old, newer]) {
        await api.refused('signIn', { status: 401 }, { body: { email, password } })
      }
      await signIn(email, newest)
    })

    /** Stands in for auth until the subject's command is a dead letter; leaves all others waiting. */
    async function refuseCommandOf(subject: string, messages: Messaging): Promise<DeadLetter> {
      messages.consumeQueue({
        queue: credentialCommands.name,
        async handler({ message }) {
          const isMeant = message.subject === subject
          const kind = isMeant ? 'invalid' : 'unavailable'
          throw new AppError(kind, 'REFUSED', 'It is refused on purpose.')
        },
      })
      await messages.start()
      return oneLetterAbout(subject, 'auth')
    }

    test('rebuilds the replica of carts while carts goes on serving', async () => {
      const { variantId } = await sell({ amountMinor: 700 })
      const cart = await cartWith({ [variantId]: 2 })
      const rebuilt = await cli('topics', 'rebuild', 'carts', '--json')
      assert.equal(rebuilt.code, 0, rebuilt.err)
      const { messages, products } = JSON.parse(rebuilt.out) as ReplicaRebuild
      assert.ok(products > 0 && messages >= products)
      const after = await api.ask('getCart', { params: { cartId: cart.id } })
      assert.deepEqual(after.lines, cart.lines)
      const [entry] = (await auditedOf('replica:carts')).slice(-1)
      assert.equal(entry?.action, 'replica-rebuild')
      assert.equal((await cli('topics', 'rebuild', 'payments')).code, 2)
    })

    test('watches requests on the arrows, and both gateways', async () => {
      const search = async () => {
        const answer = await api.send('listProducts', { query: { q: unique() } })
        assert.equal(answer.status, 200)
      }
      const token = await admin()
      const failures = await withTraffic([{ name: 'search', work: search }], async () => {
        const { arrows } = await pictureWith({ url: stack.url, token }, (each) => {
          const gateways = each.parts.find(({ service }) => service === 'gateway')?.instances ?? []
          const isBusy = each.arrows.some(
            ({ from, to, perSecond }) => from === 'gateway' && to === 'products' && perSecond > 0,
          )
          return isBusy && gateways.length === 2
        })
        const { edges } = await api.ask('getArchitecture', { token })
        for (const { from, to } of arrows) {
          assert.ok(edges.some((edge) => edge.from === from && edge.to === to))
        }
      })
      assert.deepEqual(failures, [])
    })

    test('freezes a part, sees that it is not well, and brings it back', async () => {
      const token = await admin()
      const params = { partOrInstance: 'wishlists' }
      const door = { url: stack.url, token }
      const isWell = (state: string) => (picture: SystemPicture) => {
        const part = picture.parts.find(({ service }) => service === 'wishlists')
        const kept = picture.processes?.find(({ instance }) => instance === 'wishlists-1')
        return (
          part?.instances[0]?.state === state && (state === 'ready') !== (kept?.state === 'frozen')
        )
      }
      await api.ask('actOnPart', { token, params, body: { action: 'freeze' } })
      try {
        await pictureWith(door, isWell('unhealthy'))
      } finally {
        const { isDone } = await api.ask('actOnPart', { token, params, body: { action: 'thaw' } })
        assert.equal(isDone, true)
      }
      await pictureWith(door, isWell('ready'))
      const instance = await eventually(async () => {
        const ofOne = { token, params: { instanceId: 'wishlists-1' } }
        const found = await api.ask('getSystemInstance', ofOne)
        assert.ok(found.points.length > 0)
        return found
      }, delivered)
      assert.equal(instance.service, 'wishlists')
      const actions = (await auditedOf('part:wishlists')).map(({ action }) => action)
      assert.deepEqual(actions, ['part-freeze', 'part-thaw'])
      const stop = {
        token,
        params: { partOrInstance: 'gateway' },
        body: { action: 'stop' },
      } as const
      await api.refused('actOnPart', { status: 409, code: 'DOOR_NEEDED' }, stop)
    })

    test('sees on the command line how the platform is', async () => {
      const state = await cli('status', '--json')
      assert.equal(state.code, 0, state.err)
      const { instances } = JSON.parse(state.out) as SystemState
      assert.ok(instances.some(({ service }) => service === 'carts'))
      assert.match((await cli('status')).out, /dead letters: 0/)
    })

    test('and anybody reads the schema of a message', async () => {
      const target = `/schemas/${priceChanged.type}.json`
      const { status, body } = await api.raw({ method: 'GET', target })
      assert.equal(status, 200)
      assert.equal((body as { title: string }).title, priceChanged.type)
    })
  })
}
