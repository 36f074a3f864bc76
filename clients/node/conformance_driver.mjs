#!/usr/bin/env node
// Drives the library by lines of JSON: see ../conformance/run.py.
import readline from 'node:readline'
import {
  AlreadyHeld, Client, Deadlock, Denied, Invalid, KernelLimit, LeaseLost, Locked, Unavailable, WaitTimeout,
} from './index.js'

const KINDS = [
  [WaitTimeout, 'wait-timeout'], [Locked, 'locked'], [AlreadyHeld, 'already-held'], [Deadlock, 'deadlock'],
  [LeaseLost, 'lease-lost'], [Denied, 'denied'], [Unavailable, 'unavailable'], [KernelLimit, 'kernel-limit'],
  [Invalid, 'invalid'],
]
const leases = new Map()
const clients = new Map()
const ms = seconds => seconds === undefined || seconds === null ? undefined : seconds * 1000
const sleep = time => new Promise(resolve => setTimeout(resolve, time))

function clientOf(timeout) {
  if (!clients.has(timeout)) clients.set(timeout, new Client({ timeoutMs: ms(timeout) }))
  return clients.get(timeout)
}

const commands = {
  hello: () => ({ client: 'node', keeps: ['process', 'stream', 'renewal'], wall: Date.now() / 1000 }),

  async acquire({ as, key, keys, wait, keep, ttl, shared, slots, count, timeout, ...more }) {
    const { max_hold: maxHold, cancel_after: cancel } = more
    const controller = new AbortController()
    const timer = cancel === undefined ? null : setTimeout(() => controller.abort(), ms(cancel))
    const options = {
      waitMs: ms(wait), keep, ttlMs: ms(ttl), shared, slots, count, maxHoldMs: ms(maxHold), signal: controller.signal,
    }
    try {
      const lease = await clientOf(timeout).acquire(keys ?? key, options)
      leases.set(as, lease)
      return { fence: lease.fence, ref: lease.ref, keep: lease.keep }
    } finally {
      clearTimeout(timer)
    }
  },

  state({ as }) {
    const { held, remainingMs, loss } = leases.get(as)
    return { held, remaining: remainingMs === Infinity ? null : remainingMs / 1000, reason: loss?.reason ?? null }
  },

  check({ as }) {
    leases.get(as).check()
  },

  async wait_lost({ as, timeout }) {
    const lease = leases.get(as)
    const end = Date.now() + ms(timeout)
    while (!lease.signal.aborted && Date.now() < end) await sleep(2)
    return { lost: lease.signal.aborted, reason: lease.loss?.reason ?? null }
  },

  renew: ({ as }) => leases.get(as).renew(),
  release: async ({ as }) => ({ held: await leases.get(as).release() }),
  sleep: ({ seconds }) => sleep(ms(seconds)),
}

function errorOf(error) {
  const kind = error.name === 'AbortError' ? 'canceled' : KINDS.find(([type]) => error instanceof type)?.[1] ?? 'other'
  return { ok: false, error: kind, code: typeof error.code === 'string' ? error.code : null, message: error.message, reason: error.reason }
}

for await (const line of readline.createInterface({ input: process.stdin })) {
  const command = JSON.parse(line)
  let answer = { ok: false, error: 'unsupported', code: null, message: `there is no ${command.do}` }
  if (Object.hasOwn(commands, command.do)) {
    const done = Promise.resolve(command).then(commands[command.do])
    answer = await done.then(more => ({ ok: true, ...more }), errorOf)
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`)
}
process.exit()
