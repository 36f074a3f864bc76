// What a lock can be asked for besides, and what a living lease can.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import { after, before, describe, test } from 'node:test'
import { Client, Invalid, LeaseLost, LeaseholdError, Locked, Superseded } from '../index.js'
import { Daemon, eventually, sleep } from './daemon.mjs'

let daemon
let client
let number = 0
const fresh = () => `feature-${++number}`
const holder = async key => (await daemon.lock(key)).holders[0]
before(async () => {
  daemon = await Daemon.start('--heartbeat', '200ms')
  client = daemon.client()
})
after(() => daemon.stop())

test('all is said to the service', async () => {
  const key = fresh()
  const lease = await client.acquire(key, {
    slots: ['a', 'b'], slot: 'b', cooldownMs: 5000, newest: 'web', owner: 'ann', note: 'begins', holdAtLeastMs: 1,
  })
  const { slots, newest, owner, note } = await holder(key)
  assert.deepEqual([slots, newest, owner, note], [['b'], 'web', 'ann', 'begins'])
  await daemon.breakLease(lease)
  await eventually(async () => (await daemon.lock(key)).cooling === 1, 'it cools down')
})

test('a lock gets another number of slots, or other names', async () => {
  const [key, named] = [fresh(), fresh()]
  await client.acquire(key, { slots: 1 })
  assert.equal((await client.resize(key, 3)).limit, 3)
  assert.equal((await client.resize(key, 0)).paused, true)
  await assert.rejects(client.acquire(key, { slots: 3, waitMs: 0 }), Locked)
  assert.equal((await client.resize(key, 2, { pinned: true })).pinned, true)
  await (await client.acquire(key, { slots: 9 })).release()
  await client.acquire(named, { slots: ['a', 'b'] })
  assert.deepEqual((await client.resize(named, ['a', 'b', 'c'])).slots, ['a', 'b', 'c'])
  await assert.rejects(client.resize(key, -1), Invalid)
})

describe('a lock is added to a living lease', () => {
  for (const options of [{}, { keep: 'stream' }, { ttlMs: 3000 }]) {
    test(JSON.stringify(options), async () => {
      const [first, second, third, taken] = [fresh(), fresh(), fresh(), fresh()]
      const other = await client.acquire(taken)
      const lease = await client.acquire(first, options)
      const more = [second, { key: third, slots: ['x', 'y'], slot: 'y' }]
      await lease.add(...more)
      await lease.add(...more)
      assert.deepEqual([lease.keys, lease.slot], [[first, second, third], 'y'])
      assert.equal(lease.fences[first], lease.fence)
      assert.ok(lease.fences[second] > lease.fence)
      await assert.rejects(lease.add(taken), Locked)
      await assert.rejects(lease.add('sysv:0x5150.0'), Invalid)
      lease.check()
      assert.equal(lease.env().LEASEHOLD_LOCK, [first, second, third].join('\n'))
      assert.equal(await lease.release(), true)
      await eventually(() => daemon.isFree(third), 'all are free')
      const lost = await client.acquire(first, options)
      await daemon.breakLease(lost)
      await assert.rejects(lost.add(second), LeaseLost)
      await other.release()
    })
  }
})

test('it stays taken until an early release', async () => {
  const key = fresh()
  const lease = await client.acquire(key, { holdAtLeastMs: 3_600_000 })
  const told = lease.keptUntil
  assert.match(told, /T.*Z$/)
  assert.equal(await lease.release(), true)
  assert.equal(await lease.release(), false)
  assert.deepEqual([(await holder(key)).state, lease.keptUntil], ['kept', told])
  assert.equal(await lease.release({ early: true }), false)
  await eventually(() => daemon.isFree(key), 'it is free')
  assert.equal(lease.keptUntil, null)
  const other = await client.acquire(key, { holdAtLeastMs: 3_600_000 })
  assert.equal(await other.release({ early: true }), true)
  await eventually(() => daemon.isFree(key), 'it is free')
  assert.equal((await client.acquire(key)).keptUntil, null)
})

test('a note with a renewal', async () => {
  const key = fresh()
  const lease = await client.acquire(key, { ttlMs: 30_000, note: 'begins' })
  await lease.renew({ note: 'step 2' })
  assert.equal((await holder(key)).note, 'step 2')
  await lease.release()
})

describe('the newest of a group is waited for, and the holder is asked to yield', () => {
  for (const options of [{}, { keep: 'stream' }, { ttlMs: 600 }]) {
    test(JSON.stringify(options), async () => {
      const key = fresh()
      const lease = await client.acquire(key, { newest: 'web', ...options })
      assert.equal(lease.yieldSignal.aborted, false)
      const older = client.acquire(key, { newest: 'web' })
      await eventually(() => lease.yieldSignal.aborted, 'it is asked')
      const newer = client.acquire(key, { newest: 'web' })
      await assert.rejects(older, Superseded)
      assert.deepEqual([lease.held, lease.signal.aborted], [true, false])
      assert.equal(await lease.release(), true)
      await (await newer).release()
    })
  }
})

test('who holds it too long is stopped before others get it', async () => {
  const key = fresh()
  const program = `import { acquire } from ${JSON.stringify(new URL('../index.js', import.meta.url))}
    await acquire(${JSON.stringify(key)}, { maxHoldMs: 1000, stopGraceMs: 200 })
    process.on('SIGTERM', () => {})
    console.log('has')
    setInterval(() => {}, 1000)`
  const child = spawn(process.execPath, ['--input-type=module', '-e', program],
    { env: { ...process.env, LEASEHOLD_URL: daemon.unix }, stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = new Promise(resolve => child.once('exit', (_, signal) => resolve(signal)))
  await new Promise(resolve => child.stdout.once('data', resolve))
  const { stop, grace_ms: grace } = await holder(key)
  assert.deepEqual([stop, grace], ['term', 200])
  await (await client.acquire(key)).release()
  assert.equal(await ended, 'SIGKILL')
})

test('a set of semaphores is made', async () => {
  const key = 'sysv:0x4c4155.0'
  const lease = await client.acquire(key, { create: true, value: 2 })
  assert.equal((await daemon.lock(key)).sysv.value, 1)
  const several = await client.acquire([{ key: 'sysv:0x4c4156.1', create: true, value: 3 }, fresh()])
  assert.equal((await daemon.lock('sysv:0x4c4156.1')).sysv.value, 2)
  for (const one of [lease, several]) assert.equal(await one.release(), true)
})

/** Why no cgroup can be made here. */
function cgroup() {
  try {
    const mount = readFileSync('/proc/self/mountinfo', 'utf8').split('\n').find(line => line.includes(' - cgroup2 '))
    return mkdtempSync(`${mount.split(' ')[4]}/leasehold-`)
  } catch {
    return null
  }
}

test('it ends with the cgroup', async t => {
  const folder = cgroup()
  if (folder === null) return t.skip('no cgroup can be made here')
  const key = fresh()
  const program = `import { acquire } from ${JSON.stringify(new URL('../index.js', import.meta.url))}
    const lease = await acquire(${JSON.stringify(key)}, { keep: 'cgroup' })
    console.log(lease.keep, lease.remainingMs)
    process.stdin.resume()`
  const child = spawn('sh', ['-c', 'echo $$ >"$0/cgroup.procs" && exec "$@"', folder, process.execPath,
    '--input-type=module', '-e', program], { env: { ...process.env, LEASEHOLD_URL: daemon.unix }, stdio: 'pipe' })
  const [said] = await new Promise(resolve => child.stdout.once('data', data => resolve([String(data)])))
  assert.equal(said, 'cgroup Infinity\n')
  assert.equal((await daemon.lock(key)).held, 1)
  writeFileSync(`${folder}/cgroup.kill`, '1')
  await eventually(() => daemon.isFree(key), 'it is free')
  await eventually(() => {
    try {
      return rmdirSync(folder) === undefined
    } catch {
      return false
    }
  }, 'the cgroup is removed')
  await assert.rejects(daemon.client({ url: daemon.tcp }).acquire(key, { keep: 'cgroup' }), Invalid)
})

describe('a service that cannot do it', () => {
  for (const [status, code, kind] of [[400, 'unknown-parameter', Invalid], [501, 'not-supported', LeaseholdError]]) {
    test(code, async () => {
      const server = http.createServer((request, answer) => {
        answer.writeHead(status, { 'Content-Type': 'application/problem+json' })
        answer.end(JSON.stringify({ status, code, detail: 'words', parameter: 'newest' }))
      }).listen(0, '127.0.0.1')
      await new Promise(resolve => server.once('listening', resolve))
      const older = new Client({ url: `http://127.0.0.1:${server.address().port}` })
      await assert.rejects(older.acquire('a', { newest: 'web', ttlMs: 5000 }), error => {
        assert.deepEqual([error.constructor, error.code, error.status, error.detail], [kind, code, status, 'words'])
        return true
      })
      older.close()
      server.close()
    })
  }

  test('asks nobody to yield, and its events are followed', async () => {
    // A service that knows no such event, in front of the one that does.
    const asked = []
    const server = http.createServer((request, answer) => {
      asked.push(request.url)
      if (request.url.includes('yield')) return answer.writeHead(400).end('{"code":"invalid-parameter"}')
      const { method, url, headers } = request
      const through = http.request({ socketPath: daemon.socket, method, path: url, headers }, response => {
        answer.writeHead(response.statusCode, response.headers)
        response.pipe(answer)
      })
      through.on('error', () => answer.destroy())
      answer.on('close', () => through.destroy())
      request.pipe(through)
    })
    const socket = `${daemon.directory}/older`
    await new Promise(resolve => server.listen(socket, resolve))
    const older = daemon.client({ url: `unix:${socket}` })
    const lease = await older.acquire(fresh())
    await eventually(() => asked.filter(url => url.startsWith('/events')).length >= 2, 'it asks again')
    await daemon.breakLease(lease)
    await eventually(() => lease.signal.aborted, 'it is told')
    older.close()
    server.closeAllConnections()
    server.close()
  })

  test('that does not let the events be followed is not asked for them again and again', async () => {
    let asked = 0
    const server = http.createServer((request, answer) => {
      if (request.url.startsWith('/events')) {
        asked += 1
        return answer.writeHead(403).end('{"code":"forbidden"}')
      }
      const { method, url, headers } = request
      const through = http.request({ socketPath: daemon.socket, method, path: url, headers }, response => {
        answer.writeHead(response.statusCode, response.headers)
        response.pipe(answer)
      })
      request.pipe(through)
    })
    const socket = `${daemon.directory}/closed`
    await new Promise(resolve => server.listen(socket, resolve))
    const closed = daemon.client({ url: `unix:${socket}` })
    const lease = await closed.acquire(fresh())
    await sleep(2500)
    assert.equal(asked, 1)
    assert.equal(await lease.release(), true)
    closed.close()
    server.closeAllConnections()
    server.close()
  })
})
