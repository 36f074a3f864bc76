// Seeded faults: several clients want one lock, while answers are cut, the daemon dies, and holders stand still.
import assert from 'node:assert/strict'
import { LeaseLost, LeaseholdError } from '../index.js'
import { Daemon, eventually, sleep } from './daemon.mjs'
import { Proxy } from './proxy.mjs'

/** mulberry32 */
function random(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0
    let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

const WORKERS = 5
const TTL_MS = 400
const KEYS = ['renewal', 'process', 'stream']

/** Returns what happened; throws when two say at once that they hold, or when something is left behind. */
export async function faults({ seed, count }) {
  const chance = random(seed)
  const among = list => list[Math.floor(chance() * list.length)]
  const daemon = await Daemon.start('--heartbeat', '100ms')
  const proxy = await Proxy.before(daemon)
  const seen = { seed, faults: 0, grants: 0, lost: 0, refused: 0, canceled: 0, checks: 0 }
  const held = new Map(KEYS.map(key => [key, new Set()]))
  const clients = Array.from({ length: WORKERS }, () => daemon.client({ url: proxy.url, timeoutMs: 1500 }))
  let isOver = false

  // An answer of several kilobytes is a stream or the events: those are cut as well.
  proxy.plan = () => {
    if (chance() > 0.25) return null
    seen.faults += 1
    const after = Math.floor(chance() ** 2 * 1500)
    return { side: among(['answer', 'request']), after, how: among(['close', 'close', 'silence']) }
  }

  /** Who got it later is who has it: all others must know, unless their loss is news of the last instants. */
  const granted = lease => {
    const others = held.get(lease.keys[0])
    for (const other of others) {
      seen.checks += 1
      const isNews = other.keep !== 'renewal' || other.wasBroken
      assert.ok(isNews || !other.held, `seed ${seed}: ${other.ref} says held although ${lease.ref} was granted`)
      if (isNews && other.held) eventually(() => !other.held || other.isDone, 'the loss is told', 4000).catch(fail)
    }
    others.add(lease)
  }

  let failure = null
  const fail = error => { failure ??= error }

  async function work(client) {
    while (!isOver && !failure) {
      const keep = among(KEYS)
      const controller = new AbortController()
      const timer = chance() < 0.2 ? setTimeout(() => controller.abort(), chance() * 30) : null
      const options = { waitMs: among([0, 300, 2000]), signal: controller.signal, keep }
      if (keep === 'renewal') options.ttlMs = TTL_MS
      let lease
      try {
        lease = await client.acquire(keep, options)
        seen.grants += 1
        granted(lease)
        await sleep(chance() * (chance() < 0.2 ? 600 : 30))
        if (chance() < 0.05) stand(TTL_MS * 1.5)
        await lease[Symbol.asyncDispose]()
      } catch (error) {
        if (error.name === 'AbortError') seen.canceled += 1
        else if (error instanceof LeaseLost) seen.lost += 1
        else if (error instanceof LeaseholdError) seen.refused += 1
        else fail(error)
      } finally {
        clearTimeout(timer)
        if (lease) {
          lease.isDone = true
          held.get(keep).delete(lease)
        }
      }
    }
  }

  /** As a process that is stopped: no timer runs, then the clock has moved. */
  function stand(ms) {
    seen.faults += 1
    const end = Date.now() + ms
    while (Date.now() < end);
    for (const lease of held.get('renewal')) {
      assert.equal(lease.held, false, `seed ${seed}: ${lease.ref} says held after its deadline`)
    }
  }

  async function disturb() {
    while (seen.faults < count && !failure) {
      await sleep(20 + chance() * 150)
      const kind = chance()
      seen.faults += 1
      if (kind < 0.15) {
        await daemon.kill()
        await sleep(chance() < 0.3 ? 1.5 * TTL_MS : 30)
        await daemon.go()
      } else if (kind < 0.5) {
        proxy.cut()
      } else {
        const lease = [...held.get(among(KEYS))][0]
        if (lease) {
          lease.wasBroken = true
          await daemon.breakLease(lease).catch(() => {})
        }
      }
    }
    isOver = true
  }

  await Promise.all([disturb(), ...clients.map(client => work(client))])
  if (failure) throw failure
  proxy.plan = () => null
  for (const key of KEYS) await eventually(() => daemon.isFree(key), `seed ${seed}: ${key} is free again`, 8000)
  for (const client of clients) client.close()
  proxy.stop()
  await daemon.stop()
  return seen
}
