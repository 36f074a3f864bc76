import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { after, before, describe, test } from 'node:test'
import { Daemon, eventually, sleep } from './daemon.mjs'

let daemon
let number = 0
const fresh = () => `program-${++number}`
before(async () => { daemon = await Daemon.start('--heartbeat', '100ms') })
after(() => daemon.stop())

/** A program of its own that holds a lock; resolves to it once it says so. */
async function holder(key, options, { url = daemon.unix, then = '' } = {}) {
  const index = new URL('../index.js', import.meta.url)
  const script = `const { acquire } = await import('${index}');
    const lease = await acquire('${key}', ${JSON.stringify(options)});
    console.log('held'); ${then}`
  const child = spawn(process.execPath, ['--input-type=module', '-e', script],
    { env: { ...process.env, LEASEHOLD_URL: url }, stdio: ['ignore', 'pipe', 'inherit'] })
  child.said = ''
  child.stdout.on('data', data => { child.said += data })
  child.ended = new Promise(resolve => child.once('exit', (code, signal) => resolve(signal ?? code)))
  await eventually(() => child.said.startsWith('held'), 'the program holds')
  return child
}

describe('the end of a lease', () => {
  test('max_hold bounds each kind', async () => {
    const kinds = [[daemon.unix, {}], [daemon.tcp, {}], [daemon.tcp, { ttlMs: 400 }]]
    await Promise.all(kinds.map(async ([url, options]) => {
      const key = fresh()
      const begun = Date.now()
      const lease = await daemon.client({ url }).acquire(key, { maxHoldMs: 700, ...options })
      await eventually(() => lease.signal.aborted, 'it is over')
      const lasted = Date.now() - begun
      assert.ok(lasted > 690 && lasted < 1400, `${lease.keep}: ${lasted} ms, ${lease.loss.reason}`)
      await eventually(() => daemon.isFree(key), 'it is over for the service, too')
    }))
  })

  test('a lease that somebody else releases is lost', async () => {
    const lease = await daemon.client({ url: daemon.tcp }).acquire(fresh(), { ttlMs: 600 })
    await daemon.ask.send('DELETE', `/leases/${lease.id}`)
    await eventually(() => lease.signal.aborted, 'the loss is told')
    assert.equal(lease.loss.reason, 'released')
  })
})

describe('a program that holds', () => {
  test('and is killed gives the lock back at once', async () => {
    for (const url of [daemon.unix, daemon.tcp]) {
      const key = fresh()
      const child = await holder(key, {}, { url, then: 'setInterval(() => {}, 1000)' })
      child.kill('SIGKILL')
      await child.ended
      await eventually(() => daemon.isFree(key), 'it is free', 3000)
    }
  })

  test('is not kept alive by its leases', async () => {
    for (const options of [{}, { keep: 'stream' }, { ttlMs: 60_000 }]) {
      const key = fresh()
      const child = await holder(key, options)
      assert.equal(await Promise.race([child.ended, sleep(3000)]), 0, JSON.stringify(options))
    }
  })

  test('and is stopped past its deadline sees the loss with its first look', async () => {
    const then = `let last = Date.now();
      setInterval(() => {
        const { held } = lease, gap = Date.now() - last;
        last = Date.now();
        if (gap > 700) { console.log(gap, held); process.exit() }
      }, 5)
      console.log('looking')`
    const child = await holder(fresh(), { ttlMs: 500 }, { then })
    // Stopped before its first look it would never see how long it was stopped.
    await eventually(() => child.said.includes('looking'), 'the program looks')
    child.kill('SIGSTOP')
    await sleep(1000)
    child.kill('SIGCONT')
    assert.equal(await child.ended, 0)
    assert.match(child.said, /^held\nlooking\n\d+ false\n$/)
  })

  test('and is stopped for a while keeps what needs no deadline', async () => {
    const then = 'setInterval(() => console.log(lease.held), 50)'
    await Promise.all(['process', 'stream'].map(async keep => {
      const child = await holder(fresh(), { keep }, { then })
      await sleep(300)
      child.kill('SIGSTOP')
      await sleep(1000)
      child.kill('SIGCONT')
      const before = child.said.length
      await sleep(500)
      child.kill('SIGKILL')
      assert.match(child.said.slice(before), /^(true\n)+$/, keep)
    }))
  })
})

test('cancelled at any moment, an acquire leaves nothing behind', async () => {
  const client = daemon.client()
  for (const url of [daemon.unix, daemon.tcp]) {
    const key = fresh()
    for (let index = 0; index < 120; index += 1) {
      const controller = new AbortController()
      const asked = daemon.client({ url }).acquire(key, { signal: controller.signal })
      setTimeout(() => controller.abort(), (index % 30) / 10)
      await asked.then(lease => lease.release(), error => assert.equal(error.name, 'AbortError'))
    }
    await eventually(() => daemon.isFree(key), 'nothing is left')
    assert.equal(await (await client.acquire(key, { waitMs: 0 })).release(), true)
  }
})
