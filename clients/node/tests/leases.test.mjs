import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import os from 'node:os'
import path from 'node:path'
import { after, before, describe, mock, test } from 'node:test'
import {
  AlreadyHeld, Client, Deadlock, Denied, Invalid, LeaseLost, Locked, Unavailable, WaitTimeout,
} from '../index.js'
import { Daemon, PROGRAM, eventually, freePort, sleep } from './daemon.mjs'

let daemon
let number = 0
const fresh = () => `lock-${++number}`
before(async () => { daemon = await Daemon.start('--heartbeat', '200ms', '--recovery-grace', '20s') })
after(() => daemon.stop())

test('the package has the version of the project', () => {
  const textOf = name => readFileSync(new URL(name, import.meta.url), 'utf8')
  assert.equal(JSON.parse(textOf('../package.json')).version, textOf('../../../VERSION').trim())
})

test('a note is shown, and told of when the lease is over', async () => {
  const key = fresh()
  const lease = await daemon.client().acquire(key, { note: 'begins' })
  assert.equal((await daemon.lock(key)).holders[0].note, 'begins')
  await lease.note('größer & mehr')
  assert.equal((await daemon.lock(key)).holders[0].note, 'größer & mehr')
  await daemon.breakLease(lease)
  await assert.rejects(lease.note('over'), LeaseLost)
  await lease.release()
})

test('it stays taken as long as was asked for', async () => {
  const key = fresh()
  const lease = await daemon.client().acquire(key, { holdAtLeastMs: 3_600_000 })
  assert.equal(await lease.release(), true)
  assert.equal((await daemon.lock(key)).holders[0].state, 'kept')
  await assert.rejects(daemon.client().acquire(key, { waitMs: 0 }), Locked)
  await assert.rejects(daemon.client().acquire(key, { holdAtLeast: 1 }), Invalid)
})

describe('several that are renewed', () => {
  const names = ['renewLease', 'renewLeases']
  /** How often the service was asked for one, and for several at once. */
  const renewals = async () => {
    const text = await (await fetch(`${daemon.tcp}/metrics`)).text()
    return names.map(name => [...text.matchAll(new RegExp(`^leasehold_http_requests_total.*"${name}".* (\\d+)$`, 'gm'))]
      .reduce((sum, found) => sum + Number(found[1]), 0))
  }

  test('are renewed in one request, and each loss is told', async () => {
    const client = daemon.client()
    const before = await renewals()
    const leases = []
    for (let count = 0; count < 5; count++) leases.push(await client.acquire(fresh(), { ttlMs: 1200 }))
    await sleep(600)
    await daemon.breakLease(leases[4], 'test')
    await sleep(1400)
    const [alone, together] = (await renewals()).map((after, index) => after - before[index])
    assert.ok(alone <= 1, `${alone} alone`)
    assert.ok(together >= 2 && together <= 6, `${together} together`)
    assert.deepEqual([leases[4].loss.reason, leases[4].loss.breakReason], ['broken', 'test'])
    for (const lease of leases.slice(0, 4)) assert.equal(await lease.release(), true)
  })

  test('are renewed one by one where the service does not know it', async () => {
    const client = daemon.client()
    const fetched = http.request
    const before = await renewals()
    const spy = mock.method(http, 'request', (options, ...more) => fetched(
      { ...options, path: options.path.replace('/leases/renew', '/leases/unknown') }, ...more))
    const leases = []
    for (let count = 0; count < 3; count++) leases.push(await client.acquire(fresh(), { ttlMs: 900 }))
    await sleep(1500)
    spy.mock.restore()
    for (const lease of leases) assert.equal(await lease.release(), true)
    const [alone, together] = (await renewals()).map((after, index) => after - before[index])
    assert.ok(alone >= 6 && together === 0, `${alone} alone, ${together} together`)
  })
})

const doors = { process: 'unix', stream: 'tcp', renewal: 'tcp' }
const optionsOf = keep => keep === 'renewal' ? { ttlMs: 2000 } : {}

for (const [keep, door] of Object.entries(doors)) {
  describe(`kept by ${keep}`, () => {
    let client
    before(() => { client = daemon.client({ url: daemon[door] }) })

    test('is taken, known, and given back once', async () => {
      const key = fresh()
      const lease = await client.acquire(key, { owner: 'me', ...optionsOf(keep) })
      assert.equal(lease.keep, keep)
      assert.deepEqual([lease.keys, lease.mode, lease.owner, lease.held], [[key], 'exclusive', 'me', true])
      assert.ok(Number.isSafeInteger(lease.fence))
      assert.equal((await daemon.lock(key)).holders[0].ref, lease.ref)
      await assert.rejects(client.acquire(key, { waitMs: 0 }), error => error instanceof Locked
        && error.holders[0].owner === 'me' && !(error instanceof WaitTimeout))
      assert.equal(await lease.release(), true)
      assert.equal(await lease.release(), false)
      assert.equal(lease.held, false)
      assert.equal(lease.signal.aborted, false)
      assert.ok(await daemon.isFree(key))
    })

    test('a break is told by itself, with its reason', async () => {
      const lease = await client.acquire(fresh(), optionsOf(keep))
      await sleep(100)
      const begun = Date.now()
      await daemon.breakLease(lease, 'host goes down')
      await eventually(() => lease.signal.aborted, 'the loss is told')
      assert.ok(Date.now() - begun < 2000, `after ${Date.now() - begun} ms`)
      assert.ok(lease.signal.reason instanceof LeaseLost)
      assert.deepEqual([lease.loss.reason, lease.held, lease.remainingMs], ['broken', false, 0])
      assert.throws(() => lease.check(), LeaseLost)
      assert.equal(lease.loss.breakReason, 'host goes down')
      assert.equal(await lease.release(), false)
      await assert.rejects(lease[Symbol.asyncDispose](), LeaseLost)
    })

    test('a daemon that is killed and restarted', async () => {
      const key = fresh()
      const lease = await client.acquire(key, keep === 'renewal' ? { ttlMs: 5000 } : {})
      await daemon.kill()
      await sleep(300)
      if (keep === 'stream') assert.ok(lease.held && lease.remainingMs <= 20_000)
      await daemon.go()
      if (keep === 'stream') {
        await eventually(() => lease.remainingMs === Infinity, 'it is bound again')
        await daemon.breakLease(lease, 'host goes down')
        await eventually(() => lease.signal.aborted, 'the loss is told')
        assert.deepEqual([lease.loss.reason, lease.loss.breakReason], ['broken', 'host goes down'])
        return
      }
      await sleep(2000)
      assert.equal(lease.held, true)
      assert.equal((await daemon.lock(key)).holders[0].ref, lease.ref)
      assert.equal(await lease.release(), true)
    })

    test('waits in the queue, and leaves it when it is cancelled', async () => {
      const key = fresh()
      const first = await client.acquire(key, optionsOf(keep))
      await assert.rejects(client.acquire(key, { waitMs: 50, ...optionsOf(keep) }), WaitTimeout)
      const controller = new AbortController()
      const waiting = client.acquire(key, { signal: controller.signal, ...optionsOf(keep) })
      const queued = client.acquire(key, { waitMs: 10_000, ...optionsOf(keep) })
      await eventually(async () => (await daemon.lock(key)).waiting === 2, 'both wait')
      const reason = new Error('enough')
      controller.abort(reason)
      await assert.rejects(waiting, error => error === reason)
      await eventually(async () => (await daemon.lock(key)).waiting === 1, 'one left')
      await first.release()
      const second = await queued
      assert.ok(second.fence > first.fence)
      await second.release()
      await eventually(() => daemon.isFree(key), 'nothing is left')
    })
  })
}

describe('what is asked for', () => {
  test('one signal cancels many, without a warning', async () => {
    const [key, client, controller] = [fresh(), daemon.client(), new AbortController()]
    const warnings = []
    const warned = warning => warnings.push(warning.name)
    process.on('warning', warned)
    const lease = await client.acquire(key)
    const many = Array.from({ length: 40 }, () => client.acquire(key, { signal: controller.signal }))
    await eventually(async () => (await daemon.lock(key)).waiting === 40, 'all wait')
    controller.abort()
    for (const { reason } of await Promise.allSettled(many)) assert.equal(reason.name, 'AbortError')
    await lease.release()
    await eventually(() => daemon.isFree(key), 'nothing is left')
    process.off('warning', warned)
    assert.deepEqual(warnings, [])
  })

  test('slots with names', async () => {
    const client = daemon.client()
    const [key, slots] = [fresh(), ['gpu0', 'gpu1', 'gpu2']]
    const wanted = await client.acquire(key, { slots, slot: 'gpu1' })
    assert.deepEqual([wanted.slot, wanted.slots, wanted.env().LEASEHOLD_SLOT], ['gpu1', ['gpu1'], 'gpu1'])
    await assert.rejects(client.acquire(key, { slots, slot: 'gpu1', waitMs: 0 }), Locked)
    const both = await client.acquire([{ key, slots, slot: ['gpu0', 'gpu2'] }, fresh()], { holding: [] })
    assert.deepEqual([both.slot, both.slots.sort()], [both.slots[0], ['gpu0', 'gpu2']])
    await assert.rejects(client.acquire(fresh(), { slots: ['a,b'] }), Invalid)
    await assert.rejects(client.acquire(fresh(), { slots: [] }), Invalid)
    const plain = await client.acquire(fresh(), { slots: 2 })
    assert.deepEqual([plain.slot, plain.slots], [null, []])
    for (const lease of [wanted, both, plain]) assert.equal(await lease.release(), true)
  })

  test('shared, slots, and several at once', async () => {
    const client = daemon.client()
    const [readers, counting] = [fresh(), fresh()]
    const shared = [await client.acquire(readers, { shared: true }), await client.acquire(readers, { shared: true })]
    await assert.rejects(client.acquire(readers, { waitMs: 0 }), Locked)
    const slots = await client.acquire(counting, { slots: 3, count: 2 })
    await assert.rejects(client.acquire(counting, { slots: 3, count: 2, waitMs: 0 }), Locked)
    const several = [fresh(), { key: fresh(), shared: true }, { key: counting, slots: 3 }]
    for (const url of [daemon.unix, daemon.tcp]) {
      const lease = await daemon.client({ url }).acquire(several)
      assert.deepEqual([lease.keys.length, lease.keep], [3, url === daemon.unix ? 'process' : 'renewal'])
      assert.equal((await daemon.lock(several[0])).held, 1)
      assert.equal(await lease.release(), true)
    }
    for (const lease of [...shared, slots]) assert.equal(await lease.release(), true)
  })

  test('what makes no sense is refused before it is sent', async () => {
    const nowhere = new Client({ url: 'unix:/nowhere' })
    for (const [key, options] of [['', {}], ['a', { ttlMs: 0 }], ['a', { ttlMs: '30s' }], ['a', { wait: 10 }], [[], {}],
      ['a', { signal: 5 }], ['a', { shared: true, slots: 3 }], ['a', { keep: 'well' }], ['a', { waitMs: -1 }],
      ['a', { slots: 1.5 }], ['a', { ttlMs: 1000, keep: 'process' }], [['a', 'b'], { keep: 'stream' }]]) {
      await assert.rejects(nowhere.acquire(key, options), Invalid, JSON.stringify([key, options]))
    }
    assert.throws(() => new Client({ url: 'redis://localhost' }), Invalid)
  })

  test('a service that is not there, or not for us', async () => {
    const begun = Date.now()
    await assert.rejects(new Client({ url: 'unix:/nowhere/socket' }).acquire('a'), Unavailable)
    await assert.rejects(new Client({ url: `http://127.0.0.1:${await freePort()}` }).acquire('a'), Unavailable)
    assert.ok(Date.now() - begun < 4000)
    const lease = await daemon.client().acquire(fresh())
    assert.equal((await daemon.lock(lease.keys[0])).holders[0].owner.includes('@'), true)
    assert.equal(JSON.stringify(lease).includes(lease.id), false)
    assert.deepEqual(Object.keys(lease.env()),
      ['LEASEHOLD_LEASE', 'LEASEHOLD_FENCE', 'LEASEHOLD_LOCK', 'LEASEHOLD_HOLDING', 'LEASEHOLD_URL'])
    await lease.release()
  })

  const isRoot = process.getuid() === 0
  test('a socket that refuses is named with its group', { skip: !isRoot && 'needs root' }, async () => {
    chmodSync(daemon.socket, 0o600)
    chmodSync(daemon.directory, 0o755)
    process.seteuid(65534)
    try {
      await assert.rejects(daemon.client().acquire(fresh()), error => error instanceof Denied
        && error.message.includes('group root (mode 600)'))
    } finally {
      process.seteuid(0)
    }
  })

  const openssl = spawnSync('openssl', ['version']).status === 0
  test('over TLS, with a token', { skip: !openssl && 'no openssl' }, async () => {
    const folder = mkdtempSync(path.join(os.tmpdir(), 'leasehold-'))
    const [ca, key, file] = ['certificate', 'key', 'tokens'].map(name => path.join(folder, name))
    spawnSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes',
      '-keyout', key, '-out', ca, '-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'])
    const [token, line] = spawnSync(PROGRAM, ['token', 'me', '--role', 'lock']).stdout.toString().split('\n')
    writeFileSync(file, `${line}\n`, { mode: 0o600 })
    chmodSync(key, 0o600)
    const secret = await Daemon.start('--tls-cert', ca, '--tls-key', key, '--token-file', file)
    try {
      const url = secret.tcp.replace('http:', 'https:')
      for (const options of [{}, { ttlMs: 5000 }]) {
        const lease = await secret.client({ url, token, ca }).acquire('a', options)
        assert.equal(await lease.release(), true)
      }
      await assert.rejects(secret.client({ url, ca }).acquire('a'), Denied)
      await assert.rejects(secret.client({ url, token }).acquire('a'), error => error instanceof Unavailable
        && error.code === 'insecure')
    } finally {
      await secret.stop()
      rmSync(folder, { recursive: true })
    }
  })

  test('a wait that is longer than the service lets one request wait', async () => {
    const patient = await Daemon.start('--max-wait', '150ms')
    try {
      const lease = await patient.client().acquire('a')
      const queued = patient.client().acquire('a', { waitMs: 5000 })
      await sleep(500)
      await lease.release()
      await (await queued).release()
    } finally {
      await patient.stop()
    }
  })
})

describe('a block', () => {
  test('gives the lock back however it ends', async () => {
    const client = daemon.client()
    const key = fresh()
    assert.equal(await client.withLock(key, lease => `fence ${lease.fence > 0}`), 'fence true')
    await assert.rejects(client.withLock(key, {}, () => { throw new RangeError('mine') }), RangeError)
    assert.ok(await daemon.isFree(key))
  })

  test('a loss leaves it only when the body did not fail by itself', async () => {
    const client = daemon.client()
    const lose = async lease => {
      await daemon.breakLease(lease)
      await eventually(() => lease.signal.aborted, 'told')
      return 7
    }
    await assert.rejects(client.withLock(fresh(), {}, lose), LeaseLost)
    assert.equal(await client.withLock(fresh(), { onLost: 'ignore' }, lose), 7)
    const fail = async lease => {
      await lose(lease)
      throw new RangeError('mine')
    }
    await assert.rejects(client.withLock(fresh(), {}, fail), RangeError)
  })

  test('does not take its own lock again', async () => {
    const client = daemon.client()
    const key = fresh()
    const begun = Date.now()
    await client.withLock(key, {}, async () => {
      await assert.rejects(client.acquire(key), AlreadyHeld)
      await assert.rejects(client.acquire(key, { waitMs: 0 }), AlreadyHeld)
      await client.withLock(fresh(), async () => assert.rejects(client.withLock(key, () => {}), AlreadyHeld))
    })
    assert.ok(Date.now() - begun < 1000)
    const lease = await client.acquire(key)
    await assert.rejects(client.acquire(key, { holding: [lease] }), AlreadyHeld)
    await lease.release()
  })

  test('two that wait for each other are told at once', async () => {
    const client = daemon.client()
    const [a, b] = [fresh(), fresh()]
    const results = await Promise.allSettled([[a, b], [b, a]].map(([first, second]) =>
      client.withLock(first, async () => {
        await sleep(50)
        return client.withLock(second, { waitMs: 5000 }, () => 'both')
      })))
    const said = results.map(result => result.reason?.constructor ?? result.value)
    assert.ok(said.includes(Deadlock) && said.includes('both'), String(said))
  })

  const syntax = (() => {
    try {
      return Function('return async acquire => { await using lock = await acquire(); return lock.held }')()
    } catch {
      return null
    }
  })()

  const skip = !syntax && `node ${process.version} has no 'await using'`
  test('await using gives the lock back', { skip }, async () => {
    const key = fresh()
    assert.equal(await syntax(() => daemon.client().acquire(key)), true)
    assert.ok(await daemon.isFree(key))
  })
})
