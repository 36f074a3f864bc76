import { now } from './address.js'
import { isGone, lossOf } from './errors.js'

// A release is not cut short by what cuts the caller short, but it does not hold it up for long either.
const RELEASE_MS = 2000
// A connection that went silent is left soon; to ask twice costs nothing.
const FIRST_MS = 500
const PAUSE_MAX_MS = 2000

/** Gives back what nobody holds any more, again and again until the service has heard it. */
export class Undo {
  #transport
  #timers = new Set()

  constructor(transport) { this.#transport = transport }

  close() {
    for (const timer of this.#timers) clearTimeout(timer)
    this.#timers.clear()
  }

  /** Releases a lease. Resolves to the answer, to the loss that the service tells of, or to null while nobody hears it. */
  async lease(id, { keys = [], until = Infinity } = {}) {
    const attempt = async (background, more = { fresh: true }) => {
      const answer = await this.#ask('DELETE', `/leases/${id}`, { background, ...more })
      if (answer.status < 300) return answer.body ?? {}
      return isGone(answer) ? lossOf(answer, keys) : null
    }
    const end = now() + RELEASE_MS
    let more = { timeoutMs: FIRST_MS }
    for (let pause = 50; ; pause = Math.min(2 * pause, 500)) {
      const result = await attempt(false, more).catch(() => null)
      more = { timeoutMs: Math.max(end - now() - pause, FIRST_MS), fresh: true }
      if (result !== null) return result
      if (now() + pause >= Math.min(end, until)) break
      await new Promise(resolve => setTimeout(resolve, pause))
    }
    this.#later(attempt, until, 500)
    return null
  }

  /** Takes back an acquire whose answer is not known: what it got, or its place in the queue (rule 11). */
  async request(key, request) {
    const attempt = async background => {
      const answer = await this.#ask('DELETE', '/leases', { key, background })
      if (answer.status < 300) return true
      if (![400, 404, 405].includes(answer.status)) return null
      // An older service. Once more for a request that was overtaken by this one.
      if (!await this.#replay(key, request, background)) return null
      this.#later(() => this.#replay(key, request, true), Infinity, 250)
      return true
    }
    const result = await attempt(false).catch(() => null)
    if (result === null) this.#later(attempt, Infinity, 100)
  }

  /** The same request once more: it takes the place over and leaves, or tells the lease. */
  async #replay(key, { target, body }, background) {
    const { status, body: granted } = await this.#ask('POST', target, { key, body, background })
    if (status < 300) await this.#ask('DELETE', `/leases/${granted.lease}`, { background })
    return status < 500 && status !== 429 ? true : null
  }

  #ask(method, target, options) {
    return this.#transport.ask(method, target, { timeoutMs: RELEASE_MS, ...options })
  }

  /** The further attempts keep no program alive. */
  #later(attempt, until, pause) {
    if (now() >= until) return
    const timer = setTimeout(async () => {
      this.#timers.delete(timer)
      const result = await attempt(true).catch(() => null)
      if (result === null) this.#later(attempt, until, Math.min(2 * pause, PAUSE_MAX_MS))
    }, pause).unref()
    this.#timers.add(timer)
  }
}
