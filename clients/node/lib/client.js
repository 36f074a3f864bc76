import { AsyncLocalStorage } from 'node:async_hooks'
import { randomUUID } from 'node:crypto'
import { now } from './address.js'
import { AlreadyHeld, Invalid, LeaseLost, Unavailable, WaitTimeout, errorOf } from './errors.js'
import { Lease, firstLine } from './lease.js'
import { Transport, notHTTP } from './transport.js'
import { Undo } from './undo.js'
import { encoded, readOptions, requestFor, resizeOf } from './want.js'
import { Watcher } from './watcher.js'

// A request that waits for longer is asked again: it keeps its place, and a proxy that went silent is noticed.
const ASK_AGAIN_MS = 20_000
const STREAM_WAIT_MS = 600_000
// A service that was never there is not waited for as long as one that was (rule 4).
const NEVER_REACHED_MS = 1000
// As many leases as the service reads of those that the caller keeps meanwhile.
const HOLDING_MAX = 32
const PAUSE_MS = { first: 50, most: 500 }

/** The leases that the code which runs now stands under. */
const under = new AsyncLocalStorage()

/** A way to one service. Programs need one; `acquire` and `withLock` of the package have it. */
export class Client {
  #transport
  #timeoutMs
  #watcher
  #undo
  // Whether the service sees this process, as far as is known.
  #isSeen
  #waitMaxMs = 3_600_000
  #askAgainMs

  /**
   * `url` is `unix:/path`, `http://host:port` or `https://host:port`; `timeoutMs` bounds how long it may be away.
   * `askAgainMs` is for tests.
   */
  constructor({ url, token, ca, timeoutMs = 5000, askAgainMs = ASK_AGAIN_MS } = {}) {
    this.#askAgainMs = askAgainMs
    this.#transport = new Transport({ url, token, ca })
    this.#timeoutMs = timeoutMs
    this.#undo = new Undo(this.#transport)
    this.#watcher = new Watcher(this.#transport)
    this.#isSeen = this.#transport.address.isUnix
  }

  /** Where the service is. */
  get url() { return this.#transport.address.url }

  async acquire(key, options = {}) {
    const wanted = readOptions(key, options)
    wanted.until = now() + wanted.waitMs
    let holding = this.#holding(wanted)
    wanted.signal?.throwIfAborted()
    if (wanted.keep === 'stream' && wanted.keys.length > 1) {
      throw new Invalid('a stream keeps one lock; several are kept by process or renewal', { code: 'invalid-option' })
    }
    for (;;) {
      const [way] = this.#waysFor(wanted)
      try {
        const lease = await (way === 'stream' ? this.#hold(wanted, holding) : this.#obtain(wanted, way, holding))
        if (lease) return lease
        this.#isSeen = false
      } catch (error) {
        // One that it named as held may be over, or another service's.
        const held = error instanceof LeaseLost ? await this.#stillHeld(holding) : holding
        if (held.length === holding.length) throw error
        holding = held
      }
    }
  }

  async withLock(key, options, body) {
    if (typeof options === 'function') [options, body] = [{}, options]
    const lease = await this.acquire(key, options)
    let value
    try {
      value = await under.run([...(under.getStore() ?? []), lease], () => body(lease))
    } catch (error) {
      // What the body says comes first.
      await lease.release()
      throw error
    }
    await lease[Symbol.asyncDispose]()
    return value
  }

  /** Gives a counting lock another number of slots, or other names of them, while it is in use; 0 pauses it. */
  async resize(key, slots, { pinned = false } = {}) {
    const query = new URLSearchParams({ ...resizeOf(slots), resize: true, ...pinned && { pinned } })
    return this.send('PUT', `/locks/${encoded(key)}?${query}`)
  }

  /** Sends any request of openapi.yaml; resolves to the JSON of its answer, throws what the service refuses. */
  async send(method, target, { body, signal, timeoutMs = this.#timeoutMs } = {}) {
    const text = body === undefined ? undefined : JSON.stringify(body)
    const answer = await this.#transport.ask(method, target, { body: text, signal, timeoutMs })
    if (answer.status >= 400) throw errorOf(answer)
    return answer.body
  }

  /** Closes what is open. Leases are not released; those of a connection end with it. */
  close() {
    this.#watcher.close()
    this.#undo.close()
    this.#transport.close()
  }

  #waysFor({ keep, wants }) {
    if (keep !== 'auto') return [keep]
    // A stream is on one lock; several are renewed where no process can be bound to.
    return [...this.#isSeen ? ['process'] : [], wants.length > 1 ? 'renewal' : 'stream']
  }

  /** The ids of what is held around this call, by which the service finds circles (rule 10). */
  #holding({ holding, keys }) {
    const outside = (process.env.LEASEHOLD_HOLDING ?? '').split(',').filter(id => /^[0-9a-f]{32}$/.test(id))
    const above = (holding ?? under.getStore() ?? []).filter(lease => lease.held && lease.client === this)
    const isWanted = lease => lease.keys.some(key => keys.includes(key))
    const sorted = [...above.filter(lease => !isWanted(lease)), ...above.filter(isWanted)]
    return [...new Set([...outside, ...sorted.map(lease => lease.id)])].slice(-HOLDING_MAX)
  }

  /** Those of the ids whose leases the service has. */
  async #stillHeld(ids) {
    const held = []
    for (const id of ids) {
      const { status } = await this.#transport.ask('GET', `/leases/${id}`, { timeoutMs: this.#timeoutMs })
      if (status === 200) held.push(id)
    }
    return held
  }

  /** Asks on another connection whether the service is there (rule 6). */
  async #alive() {
    await this.#transport.ask('GET', '/healthz', { timeoutMs: this.#timeoutMs, fresh: true })
  }

  /** Opens what may be long in coming, as long as the service is there. */
  async #whileAlive(open, signal) {
    const gone = new AbortController()
    const abort = () => gone.abort(signal.reason)
    if (signal?.aborted) abort()
    signal?.addEventListener('abort', abort, { once: true })
    const timer = setInterval(() => this.#alive().catch(error => gone.abort(error)), this.#askAgainMs)
    try {
      return await open(gone.signal)
    } finally {
      clearInterval(timer)
      signal?.removeEventListener('abort', abort)
    }
  }

  /** An acquire with an Idempotency-Key, asked until it is answered. `null` when no process can be bound to. */
  async #obtain(wanted, way, holding) {
    const ask = new Ask(wanted, this.#transport, this.#timeoutMs)
    try {
      for (;;) {
        const waitMs = Math.min(ask.leftMs, this.#waitMaxMs)
        const { target, body } = requestFor(wanted, way, { waitMs, holding })
        const isLong = waitMs > this.#askAgainMs
        const timeoutMs = isLong ? this.#askAgainMs : waitMs + this.#timeoutMs
        let answer
        try {
          answer = await this.#transport.ask('POST', target, { ...ask.parts, body, timeoutMs, fresh: ask.isPending })
        } catch (error) {
          // No answer because the lock was not free yet is no failure.
          if (error.timedOut && isLong) await this.#alive()
          else await ask.failed(error)
          continue
        }
        ask.isPending = false
        if (answer.status < 300) return await this.#granted(answer, { wanted, way, ask })
        if (await this.#isOtherWay(answer, { wanted, way, ask, holding })) return null
      }
    } catch (error) {
      const undone = ask.isPending && this.#undo.request(ask.key, requestFor(wanted, way, { waitMs: 1, holding }))
      // Whoever cancels finds nothing left; whoever waited for an answer in vain need not wait for another.
      if (wanted.signal?.aborted) await undone
      throw error
    }
  }

  /** An acquire whose answer stays open and is the lease: closing it gives back what it got. */
  async #hold(wanted, holding) {
    const ask = new Ask(wanted, this.#transport, this.#timeoutMs)
    for (;;) {
      const waitMs = Math.min(ask.leftMs, this.#waitMaxMs, STREAM_WAIT_MS)
      const { target } = requestFor(wanted, 'stream', { waitMs, holding })
      let stream
      try {
        const timeoutMs = waitMs + this.#timeoutMs
        stream = await this.#whileAlive(
          signal => this.#transport.open('POST', target, { timeoutMs, signal }), wanted.signal)
        if (stream.status < 300) {
          const answer = await firstLine(stream, this.#timeoutMs)
          return await this.#granted(answer, { wanted, way: 'stream', ask, stream })
        }
      } catch (error) {
        stream?.close?.()
        await ask.failed(error)
        continue
      }
      await this.#isOtherWay(stream, { wanted, way: 'stream', ask, holding })
    }
  }

  /** What a refusal leads to: false asks again, true asks in another way, and most are thrown. */
  async #isOtherWay(answer, { wanted, way, ask, holding }) {
    const { status, body } = answer
    if (wanted.keep === 'auto' && way === 'process' && isRefusedBinding(answer)) return true
    if (status === 503) {
      await ask.failed(errorOf(answer))
    } else if (status === 400 && body?.parameter === 'wait' && body.maximum_ms < this.#waitMaxMs) {
      this.#waitMaxMs = body.maximum_ms
    } else if ((body?.code === 'wait-timeout' && ask.leftMs > 0) || body?.code === 'undelivered') {
      ask.renew()
    } else {
      throw refusalOf(answer, wanted, holding)
    }
    return false
  }

  async #granted(answer, { wanted, way, ask, stream }) {
    const { body, sentAt } = answer
    if (typeof body?.lease !== 'string') throw notHTTP(this.url)
    // Two times at which the lease stands for certain (rule 22).
    const isTimed = body.ttl_ms > 0
    const [first, last] = [ask.begun + body.waited_ms + body.ttl_ms, sentAt + body.expires_in_ms]
    const deadline = isTimed ? Math.max(first, last) : Infinity
    const parts = { client: this, transport: this.#transport, undo: this.#undo, watcher: this.#watcher }
    const lease = new Lease({ ...parts, wanted, way, answer: body, deadline, stream })
    if (wanted.signal?.aborted) {
      await lease.release()
      throw wanted.signal.reason
    }
    return lease
  }
}

/** One acquire on its way: its key, its patience, and whether the service may know of it. */
class Ask {
  key = randomUUID()
  begun = now()
  isPending = false
  #signal
  #until
  #transport
  #timeoutMs
  #failingSince = null
  #pauseMs = PAUSE_MS.first

  constructor({ until, signal }, transport, timeoutMs) {
    this.#signal = signal
    this.#until = until
    this.#transport = transport
    this.#timeoutMs = timeoutMs
  }

  get leftMs() { return Math.max(0, this.#until - now()) }

  /** What its requests have in common. */
  get parts() { return { key: this.key, signal: this.#signal, onSent: () => { this.isPending = true } } }

  /** The same wish as a new request. */
  renew() {
    this.key = randomUUID()
    this.begun = now()
  }

  /** Waits before the next try; throws when the service was away for too long, or it is of no use (rule 4). */
  async failed(error) {
    const mayPass = error instanceof Unavailable && !error.timedOut && !['malformed', 'insecure'].includes(error.code)
    if (!mayPass) throw error
    // Whoever waited in the queue until it broke begins to count now.
    if (this.#failingSince === null || now() - this.#lastFailed > 2 * PAUSE_MS.most) {
      this.#failingSince = now()
      this.#pauseMs = PAUSE_MS.first
    }
    this.#lastFailed = now()
    const patience = this.#transport.isReached ? this.#timeoutMs : Math.min(NEVER_REACHED_MS, this.#timeoutMs)
    if (now() - this.#failingSince + this.#pauseMs > patience) throw error
    await sleep(this.#pauseMs, this.#signal)
    this.#pauseMs = Math.min(2 * this.#pauseMs, PAUSE_MS.most)
  }

  #lastFailed = -Infinity
}

/** The error for a refusal: of a wait that is over as such, and of what the caller holds itself (rule 10). */
function refusalOf(answer, wanted, holding) {
  const error = errorOf(answer, wanted.keys)
  if (answer.status !== 423) return error
  const refs = new Set(holding.map(id => id.slice(0, 10)))
  if (error.holders.length > 0 && error.holders.every(({ ref }) => refs.has(ref))) {
    return new AlreadyHeld(error.detail, { code: 'already-held', status: 423, problem: error.problem })
  }
  const isOver = wanted.waitMs > 0 && error.code === 'locked'
  return isOver ? new WaitTimeout(error.detail, { code: 'wait-timeout', status: 423, problem: error.problem }) : error
}

/** Whether the service cannot see the process, knows that a proxy is between, or has an engine that binds to none. */
function isRefusedBinding({ status, body }) {
  return ['no-such-process', 'not-supported'].includes(body?.code) || (status === 400 && body?.parameter === 'bind')
}

function sleep(ms, signal) {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason)
    const abort = () => {
      clearTimeout(timer)
      reject(signal.reason)
    }
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', abort)
      resolve()
    }, ms)
    signal?.addEventListener('abort', abort, { once: true })
  })
}
