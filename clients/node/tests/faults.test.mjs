import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { LeaseLost, Unavailable } from '../index.js'
import { Daemon, eventually, sleep } from './daemon.mjs'
import { Proxy } from './proxy.mjs'

let daemon
let number = 0
const fresh = () => `fault-${++number}`
before(async () => { daemon = await Daemon.start('--heartbeat', '100ms') })
after(() => daemon.stop())

describe('an answer that stops', () => {
  for (const [keep, options] of [['process', {}], ['renewal', { ttlMs: 2000 }]]) {
    test(`after any byte costs neither a slot nor a second lease (${keep})`, async () => {
      const proxy = await Proxy.before(daemon)
      for (let after = 0; after < 900; after += 31) {
        for (const side of ['answer', 'request']) {
          const key = fresh()
          let faulty = 1
          proxy.plan = () => faulty-- > 0 ? { side, after, how: 'close' } : null
          const client = daemon.client({ url: proxy.url })
          const lease = await client.acquire(key, options)
          const { held, holders } = await daemon.lock(key)
          assert.deepEqual([held, holders[0].ref], [1, lease.ref], `${side} ${after}`)
          assert.equal(await lease.release(), true)
          assert.ok(await daemon.isFree(key))
          client.close()
        }
      }
      proxy.stop()
    })
  }

  test('after any byte of a release is asked for again', async () => {
    const proxy = await Proxy.before(daemon)
    for (let after = 0; after < 300; after += 23) {
      const key = fresh()
      const client = daemon.client({ url: proxy.url })
      const lease = await client.acquire(key)
      let faulty = 1
      proxy.plan = () => faulty-- > 0 ? { side: 'answer', after, how: 'close' } : null
      proxy.cut()
      assert.equal(await lease.release(), true)
      assert.ok(await daemon.isFree(key))
      client.close()
    }
    proxy.stop()
  })

  test('of a release on a connection that went silent is asked for again on another', async () => {
    const proxy = await Proxy.before(daemon)
    const key = fresh()
    const client = daemon.client({ url: proxy.url })
    const lease = await client.acquire(key)
    let faulty = 1
    proxy.plan = () => faulty-- > 0 ? { side: 'answer', after: 0, how: 'silence' } : null
    proxy.cut()
    const begun = Date.now()
    assert.equal(await lease.release(), true)
    assert.ok(Date.now() - begun < 1500)
    assert.ok(await daemon.isFree(key))
    proxy.stop()
  })

  test('and stays open: the request is given up after its time, and taken back', async () => {
    const proxy = await Proxy.before(daemon)
    const key = fresh()
    let faulty = 1
    proxy.plan = () => faulty-- > 0 ? { side: 'answer', after: 20, how: 'silence' } : null
    const client = daemon.client({ url: proxy.url, timeoutMs: 200 })
    await assert.rejects(client.acquire(key, { waitMs: 0 }), Unavailable)
    await eventually(() => daemon.isFree(key), 'it is taken back')
    proxy.stop()
  })

  test('of a stream that goes silent is a loss', async () => {
    const proxy = await Proxy.before(daemon)
    const key = fresh()
    proxy.plan = () => ({ side: 'answer', after: 1200, how: 'silence' })
    const lease = await daemon.client({ url: proxy.url }).acquire(key, { keep: 'stream' })
    await eventually(() => lease.signal.aborted, 'the loss is told', 5000)
    assert.equal(lease.loss.reason, 'silent')
    await eventually(() => daemon.isFree(key), 'the connection is closed')
    proxy.stop()
  })

  test('of a renewal does not end the lease before its deadline', async () => {
    const proxy = await Proxy.before(daemon)
    const lease = await daemon.client({ url: proxy.url }).acquire(fresh(), { ttlMs: 1500 })
    let faulty = 2
    proxy.plan = () => faulty-- > 0 ? { side: 'answer', after: 5, how: faulty ? 'close' : 'silence' } : null
    proxy.cut()
    await sleep(2500)
    assert.equal(lease.held, true)
    assert.ok(faulty < 1)
    assert.equal(await lease.release(), true)
    proxy.stop()
  })
})

describe('a service that is away', () => {
  test('for longer than the lease: the loss comes by the own clock', async () => {
    const proxy = await Proxy.before(daemon)
    const key = fresh()
    const client = daemon.client({ url: proxy.url })
    const lease = await client.acquire(key, { ttlMs: 600 })
    const other = await client.acquire(fresh())
    proxy.plan = () => ({ side: 'request', after: 0, how: 'close' })
    proxy.cut()
    const next = daemon.client().acquire(key, { waitMs: 5000 })
    const lost = await new Promise(resolve => lease.signal.addEventListener('abort', () => resolve(lease.loss)))
    assert.ok(lost instanceof LeaseLost)
    assert.equal(lost.reason, 'deadline')
    const granted = await next
    assert.ok(granted.fence > lease.fence)
    assert.equal(other.held, true, 'the kernel has what is kept by process')
    proxy.plan = () => null
    assert.equal(await other.release(), true)
    assert.equal(await granted.release(), true)
    proxy.stop()
  })

  test('while one is released: it is told as soon as it is back', async () => {
    const key = fresh()
    const lease = await daemon.client().acquire(key)
    await daemon.kill()
    const begun = Date.now()
    const released = lease.release()
    await sleep(300)
    await daemon.go()
    assert.equal(await released, true)
    assert.ok(Date.now() - begun < 2500)
    await eventually(() => daemon.isFree(key), 'it is given back')
  })

  test('while one waits: its place is asked for again', async () => {
    const key = fresh()
    const lease = await daemon.client().acquire(key)
    const queued = daemon.client().acquire(key, { waitMs: 8000 })
    await eventually(async () => (await daemon.lock(key)).waiting === 1, 'it waits')
    await daemon.kill()
    await sleep(200)
    await daemon.go()
    await eventually(async () => (await daemon.lock(key)).waiting === 1, 'it waits again')
    assert.equal(await lease.release(), true)
    assert.equal(await (await queued).release(), true)
  })

  test('a break that nobody told is found when the events are followed again', async () => {
    const proxy = await Proxy.before(daemon)
    const lease = await daemon.client({ url: proxy.url }).acquire(fresh())
    await sleep(100)
    proxy.plan = () => ({ side: 'request', after: 0, how: 'close' })
    proxy.cut()
    await daemon.breakLease(lease)
    await sleep(200)
    proxy.plan = () => null
    await eventually(() => lease.signal.aborted, 'the loss is found')
    proxy.stop()
  })
})
