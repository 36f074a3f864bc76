import assert from 'node:assert/strict'
import fs from 'node:fs'
import net from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { after, before, describe, test } from 'node:test'
import { Client, Unavailable } from '../index.js'
import { addressOf } from '../lib/address.js'
import { Daemon, eventually } from './daemon.mjs'
import { Proxy } from './proxy.mjs'

let daemon
before(async () => { daemon = await Daemon.start('--heartbeat', '100ms') })
after(() => daemon.stop())

describe('where the service is', () => {
  test('the own one is found where nobody else can put another', async () => {
    const runtime = fs.mkdtempSync(path.join(os.tmpdir(), 'runtime-'))
    const folder = path.join(runtime, 'leasehold')
    const socket = path.join(folder, 'leasehold.sock')
    process.env.XDG_RUNTIME_DIR = runtime
    fs.mkdirSync(folder, { mode: 0o700 })
    const isFound = () => addressOf('').url === `unix:${socket}`
    assert.equal(isFound(), false)
    const server = net.createServer().listen(socket)
    await new Promise(resolve => server.once('listening', resolve))
    assert.equal(isFound(), true)
    for (const openToOthers of [folder, runtime]) {
      fs.chmodSync(openToOthers, 0o755)
      assert.equal(isFound(), false)
      fs.chmodSync(openToOthers, 0o700)
    }
    // What a service left that was killed.
    fs.renameSync(socket, `${socket}.x`)
    fs.linkSync(`${socket}.x`, socket)
    await new Promise(resolve => server.close(resolve))
    assert.equal(isFound(), false)
    fs.rmSync(runtime, { recursive: true })
    delete process.env.XDG_RUNTIME_DIR
  })

  test('a port that is not said is the service\'s', () => {
    for (const [url, port] of [['http://h', 31818], ['https://h/', 31818], ['http://[::1]', 31818], ['http://h:80', 80],
      ['https://h:443/', 443], ['http://h:4000', 4000]]) {
      assert.equal(addressOf(url).options.port, port, url)
    }
  })
})

test('a lease above that is over or of another service is not named again', async () => {
  const client = daemon.client()
  const ended = await client.acquire('above')
  await ended.release()
  process.env.LEASEHOLD_HOLDING = `${'0'.repeat(32)},${ended.id}`
  for (const keep of ['process', 'stream']) {
    const first = await client.acquire('named', { keep: 'process' })
    const second = client.acquire('named', { keep, waitMs: 9000 })
    await eventually(async () => (await daemon.lock('named')).waiting === 1, 'it waits')
    await first.release()
    assert.equal(await (await second).release(), true)
  }
  delete process.env.LEASEHOLD_HOLDING
})

test('what an operator ends is held until then, and renewed no more', async () => {
  for (const [key, options] of [['renewed', { ttlMs: 600 }], ['held', { keep: 'stream' }]]) {
    const lease = await daemon.client().acquire(key, options)
    const begun = Date.now()
    await daemon.ask.send('POST', `/leases/${lease.ref}/break?reason=goes&after=500ms`)
    await eventually(() => lease.signal.aborted, 'it is lost')
    assert.ok(Date.now() - begun > 350, `${key}: after ${Date.now() - begun} ms`)
    assert.deepEqual([lease.loss.reason, lease.loss.breakReason], ['broken', 'goes'], key)
  }
})

test('a wait behind a proxy that went silent is given up', async () => {
  const first = await daemon.client().acquire('silent')
  for (const keep of ['process', 'stream']) {
    const proxy = await Proxy.before(daemon)
    const client = new Client({ url: proxy.url, timeoutMs: 300, askAgainMs: 200 })
    const failed = assert.rejects(client.acquire('silent', { keep }), Unavailable)
    await eventually(async () => (await daemon.lock('silent')).waiting === 1, 'it waits')
    // A connection that is there already goes on to wait; on another one nobody answers.
    proxy.plan = () => ({ side: 'answer', after: 0, how: 'silence' })
    await failed
    proxy.plan = () => null
    await eventually(async () => (await daemon.lock('silent')).waiting === 0, 'its place is given up')
    client.close()
    proxy.stop()
  }
  await first.release()
})
