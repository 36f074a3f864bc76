import { Client } from './lib/client.js'

export { Client } from './lib/client.js'
export { Lease } from './lib/lease.js'
export {
  AlreadyHeld, Deadlock, Denied, Invalid, KernelLimit, LeaseLost, LeaseholdError, Locked, Superseded, Unavailable,
  WaitTimeout,
} from './lib/errors.js'

let shared

/** The client that `acquire` and `withLock` use: it goes where the environment says. */
export function defaultClient() {
  shared ??= new Client()
  return shared
}

/** Takes a lock, or several on one lease. `await using lock = await acquire('deploy')` gives it back by itself. */
export async function acquire(key, options) {
  return (options?.client ?? defaultClient()).acquire(key, options)
}

/** Takes a lock, runs the body with the lease, and gives the lock back however the body ends. */
export async function withLock(key, options, body) {
  return (options?.client ?? defaultClient()).withLock(key, options, body)
}
