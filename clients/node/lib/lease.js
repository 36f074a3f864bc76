import { now } from './address.js'
import { Invalid, LeaseLost, LeaseholdError, errorOf, isGone, lossOf } from './errors.js'
import { parsed } from './transport.js'
import { wantOf } from './want.js'

const TIMER_MAX_MS = 2 ** 31 - 1
// A held stream has a line every few seconds; before two were seen nobody knows how few.
const SILENCE_MS = 20_000
const RENEW_PAUSE_MS = 100
const RENEW_LEAST_MS = 250
const TTL_LEAST_MS = 100
const OPEN_PAUSE_MS = { first: 50, most: 500 }
const OPEN_TIMEOUT_MS = 5000

/** A lock that is held. It is kept without help; `signal` aborts at once when it is lost. */
export class Lease {
  /** The locks' names. */
  keys
  /** Its short name, for listings and logs. */
  ref
  /** Grows with every grant: send it along with each write that must not come late. */
  fence
  /** That of each lock: what was added has its own. */
  fences
  /** The name of its slot, the first where it has several; null where slots have no names. */
  slot
  /** The names of its slots, on locks whose slots have names. */
  slots
  /** `exclusive` or `shared`. */
  mode
  owner
  /** How it is kept: `process`, `cgroup`, `stream` or `renewal`. */
  keep
  /** The instant until which `holdAtLeastMs` keeps it taken, RFC 3339; null where nothing does. */
  keptUntil
  #client
  #id
  #onLost
  #transport
  #undo
  #watcher
  #stream
  #state = 'held'
  #loss = null
  // Why it will be lost at its deadline, where an operator ends it (rule 26).
  #breaking = null
  #deadline
  // A stream that ended with the service can be opened again in the grace, counted from when it was seen to stand.
  #graceMs
  #seen
  #suspended = Infinity
  #ttlMs
  #end
  #mayStand = false
  #lost = new AbortController()
  #yield = new AbortController()
  #timers = new Set()
  #renewalDue = Infinity
  #joined = null
  #released

  /** @internal */
  constructor({ client, transport, undo, watcher, wanted, way, answer, deadline, stream }) {
    Object.assign(this, { ref: answer.ref, fence: answer.fence, mode: answer.mode, keep: way })
    this.owner = answer.owner ?? null
    this.keptUntil = answer.kept_until ?? null
    this.#takeLocks(answer)
    this.#client = client
    this.#id = answer.lease
    this.#onLost = wanted.onLost
    this.#transport = transport
    this.#undo = undo
    this.#watcher = watcher
    this.#stream = stream
    this.#deadline = deadline
    this.#graceMs = answer.recovery_grace_ms ?? 0
    this.#ttlMs = answer.ttl_ms
    // The granting lies ttl before the deadline, or later.
    this.#end = deadline - this.#ttlMs + wanted.maxHoldMs
    if (stream) this.#follow(stream)
    else watcher.add(this)
    if (deadline < Infinity) this.#at(() => this.#deadline, () => this.#expire())
    if (this.isRenewed) this.#renewAt(deadline - this.#ttlMs * 2 / 3)
  }

  /** @internal The client that took it. */
  get client() { return this.#client }

  /** @internal */
  get isRenewed() { return this.keep === 'renewal' }

  /** The secret name of the lease: whoever has it may renew and release. */
  get id() { return this.#id }

  /** Aborts when the lease is lost, with the LeaseLost as its reason. A release does not abort it. */
  get signal() { return this.#lost.signal }

  /** Aborts when a newer request of its group (`newest`) waits: give it back as soon as you like to. It is held on. */
  get yieldSignal() { return this.#yield.signal }

  /** Whether it is held, by the clock of this moment. */
  get held() {
    if (this.#state === 'held' && now() >= this.#endBy) this.#expire()
    return this.#state === 'held'
  }

  get #endBy() { return Math.min(this.#deadline, this.#suspended) }

  /** Until the deadline; Infinity when only the end of the process or of the connection ends the lease. */
  get remainingMs() { return this.held ? this.#endBy - now() : 0 }

  /** Why it is lost; null while it is not. */
  get loss() { return this.held ? null : this.#loss }

  /** Throws LeaseLost when it is lost: for a step that cannot be taken back. */
  check() {
    if (!this.held && this.#loss) throw this.#loss
  }

  /** Moves the deadline to its ttl from now. Leases with a `ttlMs` are renewed without this, too. */
  async renew({ note } = {}) {
    this.check()
    const answer = await this.#sendRenewal({ timeoutMs: 5000 }, note)
    if (answer.status < 300) return
    this.check()
    throw errorOf(answer)
  }

  /** Shows everybody who asks a text beside the lease, such as how far the work is; an empty one clears it. */
  async note(text) {
    await this.#say('PUT', `note?${new URLSearchParams({ note: text })}`)
  }

  /** Takes more locks on this lease, all or none, without a wait; `fences` tells their numbers. */
  async add(...wants) {
    this.#takeLocks(await this.#say('POST', 'add', JSON.stringify({ want: wants.map(want => wantOf(want)) })))
  }

  /** What is gone may be that which is asked for, and not the lease. */
  async #say(method, target, body) {
    this.check()
    const answer = await this.#transport.ask(method, `/leases/${this.#id}/${target}`, { body, timeoutMs: 5000 })
    if (answer.status < 300) return answer.body
    if ([404, 410].includes(answer.status)) await this.confirm({ timeoutMs: 5000 })
    this.check()
    const error = errorOf(answer, this.keys)
    const { code, status, detail, problem } = error
    throw error instanceof LeaseLost ? new Invalid(problem?.detail ?? detail, { code, status, problem }) : error
  }

  #takeLocks(answer) {
    const locks = answer.locks ?? [answer]
    this.keys = locks.map(({ key }) => key)
    this.fences = Object.fromEntries(locks.map(({ key, fence }) => [key, fence ?? this.fence]))
    this.slots = locks.flatMap(({ slots }) => slots ?? [])
    this.slot = this.slots[0] ?? null
  }

  /**
   * Gives it back. True when it was held until now; false when it was over already. Never throws.
   *
   * `early` frees what `holdAtLeastMs` keeps, also after an earlier release.
   */
  async release({ early = false } = {}) {
    if (!this.#released) return this.#released = this.#release(early)
    await this.#released
    if (early) await this.#free()
    return false
  }

  async [Symbol.asyncDispose]() {
    await this.release()
    if (this.#loss && this.#onLost === 'throw') throw this.#loss
  }

  /** For the environment of a program that is to know of it, as `leasehold run` gives it. */
  env() {
    const holding = [process.env.LEASEHOLD_HOLDING, this.#id].filter(Boolean).join(',')
    return {
      ...this.slot !== null && { LEASEHOLD_SLOT: this.slots.join(',') }, LEASEHOLD_LEASE: this.#id, LEASEHOLD_FENCE: String(this.fence), LEASEHOLD_LOCK: this.keys.join('\n'),
      LEASEHOLD_HOLDING: holding, LEASEHOLD_URL: this.#client.url,
    }
  }

  /** @internal Asks the service; a loss is noted, silence is not. */
  async confirm(how = { background: true }) {
    const answer = await this.#transport.ask('GET', `/leases/${this.#id}`, how)
    if (isGone(answer)) this.#lose(lossOf(answer, this.keys))
    else if (answer.body?.breaking_in_ms > 0) this.#breakIn(answer.body, answer.sentAt)
    if (answer.body?.yield) this.askToYield()
  }

  /** @internal */
  askToYield() {
    this.#yield.abort(new LeaseholdError('a newer request of its group waits', { code: 'yield' }))
  }

  /** @internal An event about it. */
  ended({ reason, break_reason: breakReason, at: endedAt }) {
    this.#lose(new LeaseLost(reason, { keys: this.keys, breakReason, endedAt }))
  }

  toJSON() { return { keys: this.keys, ref: this.ref, fence: this.fence, mode: this.mode, held: this.held } }

  /** Frees what is kept after its end. */
  async #free() {
    if (this.keptUntil === null) return
    const result = await this.#undo.lease(`${this.#id}?early=true`)
    if (result && !(result instanceof LeaseLost)) this.keptUntil = result.kept_until ?? null
  }

  async #release(early) {
    if (!this.held) {
      if (early && this.keptUntil !== null) await this.#free()
      else if (this.#mayStand) await this.#undo.lease(this.#id, { until: now() + this.#ttlMs })
      return false
    }
    this.#state = 'released'
    this.#stop()
    const name = this.#id + (early && this.keptUntil !== null ? '?early=true' : '')
    const result = await this.#undo.lease(name, { keys: this.keys, until: this.#deadline })
    this.#stream?.close()
    if (result instanceof LeaseLost) {
      this.#loss = result
      this.#lost.abort(result)
      return false
    }
    // What nobody heard yet was held all the same.
    if (result !== null) this.keptUntil = result.kept_until ?? null
    return true
  }

  #lose(loss) {
    if (this.#state !== 'held') return
    this.#state = 'lost'
    this.#loss = loss
    this.#stop()
    this.#stream?.close()
    this.#lost.abort(loss)
  }

  /** Over by the own clock; the service may think otherwise, and is told by the release. */
  #expire() {
    this.#mayStand = true
    const reason = this.#suspended < this.#deadline ? 'connection-closed' : 'deadline'
    this.#lose(this.#breaking ?? new LeaseLost(reason, { keys: this.keys }))
  }

  /** An operator ends it: it is held until then, and renewed no more. */
  #breakIn({ breaking_in_ms: left, break_reason: breakReason }, since) {
    if (this.#state !== 'held') return
    this.#breaking = new LeaseLost('broken', { keys: this.keys, breakReason })
    this.#deadline = Math.min(this.#deadline, since + left)
    this.#at(() => this.#deadline, () => this.#expire())
  }

  #stop() {
    for (const timer of this.#timers) clearTimeout(timer)
    this.#timers.clear()
    this.#watcher.remove(this)
  }

  /** Runs `work` at a time of the monotonic clock that may move. No program is kept alive by it. */
  #at(time, work) {
    const left = time() - now()
    if (left <= 0) return work()
    const timer = setTimeout(() => {
      this.#timers.delete(timer)
      this.#at(time, work)
    }, Math.min(Math.ceil(left), TIMER_MAX_MS)).unref()
    this.#timers.add(timer)
  }

  #renewAt(time, pause = 0) {
    this.#renewalDue = time
    this.#at(() => this.#renewalDue, async () => {
      // The last renewal reaches the end.
      if (!this.held || this.#breaking || this.#deadline >= this.#end) return
      this.#renewalDue = Infinity
      const timeoutMs = Math.min(Math.max(this.#ttlMs / 6, RENEW_LEAST_MS), this.#deadline - now())
      const how = { timeoutMs, background: true, fresh: pause > 0 }
      const answer = await (this.#joined ?? this.#renewWithOthers(how)).catch(() => null)
      if (this.#state !== 'held') return
      if (answer?.status < 300) return this.#renewAt(answer.sentAt + this.#ttlMs / 3)
      const most = Math.max(this.#ttlMs / 6, RENEW_PAUSE_MS)
      const next = Math.min(pause === 0 ? RENEW_PAUSE_MS : 2 * pause, most)
      this.#renewAt(now() + next, next)
    })
  }

  async #renewWithOthers(how) {
    const answer = how.fresh || !this.#asksForWholeTTL ? null : await this.#watcher.renewTogether(this, how)
    return answer ? this.#take(answer) : this.#sendRenewal(how)
  }

  get #asksForWholeTTL() { return this.#end - now() >= this.#ttlMs }

  /** @internal Whether it may be renewed together with one that is due: it soon is, too. */
  joins(time) {
    return this.isRenewed && this.held && !this.#breaking && !this.#joined && this.#asksForWholeTTL
      && this.#deadline < this.#end && this.#renewalDue - this.#ttlMs / 12 <= time
  }

  /** @internal Takes part in a request for several, of which `answer` is its part. */
  join(answer) {
    const taken = answer.then(mine => mine && this.#take(mine))
    this.#joined = taken
    taken.catch(() => null).then(mine => {
      this.#joined = null
      if (mine?.status < 300 && this.#renewalDue < Infinity) this.#renewalDue = mine.sentAt + this.#ttlMs / 3
    })
  }

  async #sendRenewal(how, note) {
    const left = this.#end - now()
    const query = new URLSearchParams(note === undefined ? {} : { note })
    if (left < this.#ttlMs) query.set('ttl', `${Math.max(TTL_LEAST_MS, Math.floor(left))}ms`)
    return this.#take(await this.#transport.ask('POST', `/leases/${this.#id}/renew?${query}`, how))
  }

  /** Takes what a renewal was answered. */
  #take(answer) {
    const { status, body } = answer
    if (body?.yield) this.askToYield()
    if (status < 300 && body?.ttl_ms > 0 && !this.#breaking) {
      this.#deadline = Math.min(Math.max(this.#deadline, answer.sentAt + body.expires_in_ms), this.#end)
    } else if (isGone(answer) && body?.breaking_in_ms > 0) {
      this.#breakIn(body, answer.sentAt)
    } else if (isGone(answer)) {
      this.#lose(lossOf(answer, this.keys))
    }
    return answer
  }

  /** Reads the lines of a held stream; one that ends with the service is opened again (rule 14). */
  async #follow(stream) {
    while (stream) {
      const reason = await this.#read(stream);
      stream.close()
      if (this.#state !== 'held') return
      if (reason === 'silent' || this.#graceMs === 0) return this.#lose(new LeaseLost(reason, { keys: this.keys }))
      this.#suspended = this.#seen + this.#graceMs
      this.#at(() => this.#suspended, () => this.#expire())
      stream = this.#stream = await this.#openAgain()
    }
  }

  /** Reads to the end, and answers with the reason where the service gave none. */
  async #read({ lines, pulse }) {
    let looked = this.#seen = now()
    // It stood at a look after which the program ran, and did not see its end.
    const looks = this.#graceMs > 0 && setInterval(() => {
      this.#seen = looked
      looked = now()
    }, this.#graceMs / 8).unref()
    try {
      for await (const line of lines) {
        pulse.beat()
        if (line === '') continue
        const said = JSON.parse(line)
        if (said.yield) this.askToYield()
        if (said.breaking_in_ms > 0) this.#breakIn(said, now())
        const why = said.break_reason ?? this.#breaking?.breakReason
        if (said.ended) return this.ended({ reason: said.ended, break_reason: why, at: said.at })
      }
      return 'connection-closed'
    } catch (error) {
      return error.timedOut ? 'silent' : 'connection-closed'
    } finally {
      clearInterval(looks)
    }
  }

  /** Binds it to another stream before the grace is over; null when it is over. */
  async #openAgain() {
    for (let pause = OPEN_PAUSE_MS.first; this.held; pause = Math.min(2 * pause, OPEN_PAUSE_MS.most)) {
      const timeoutMs = Math.min(OPEN_TIMEOUT_MS, this.remainingMs)
      let stream
      try {
        stream = await this.#transport.open('POST', `/leases/${this.#id}/hold`, { timeoutMs, background: true })
        if (stream.status < 300) {
          const { body } = await firstLine(stream, timeoutMs);
          if (body && this.held) {
            this.#suspended = Infinity
            this.#graceMs = body.recovery_grace_ms ?? 0
            return stream
          }
        } else if (isGone(stream)) {
          this.#take(stream)
        } else if (stream.status < 500 && stream.status !== 429) {
          this.#lose(new LeaseLost('connection-closed', { keys: this.keys }))
        }
      } catch {
        // It is tried again.
      }
      stream?.close?.()
      await new Promise(resolve => setTimeout(resolve, pause).unref())
    }
    return null
  }
}

/** The lease that a held stream begins with, as an answer. */
export async function firstLine(stream, timeoutMs) {
  let patience = () => timeoutMs
  const lines = stream.lines(() => patience())
  const { value } = await lines.next()
  const pulse = new Pulse()
  patience = () => pulse.patienceMs
  Object.assign(stream, { lines, pulse })
  // From here on it is only watched, and keeps no program alive.
  stream.unref()
  return { body: parsed(value), sentAt: stream.sentAt }
}

/** How long a held stream may be silent: four times as long as from line to line. */
class Pulse {
  #last = now()
  #longest = 0
  #beats = 0

  beat() {
    const time = now()
    this.#longest = Math.max(this.#longest, time - this.#last)
    this.#last = time
    this.#beats += 1
  }

  get patienceMs() { return this.#beats < 2 ? SILENCE_MS : 4 * this.#longest }
}
