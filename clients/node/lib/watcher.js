import { now } from './address.js'

const ENDS = 'expired,broken,removed,transferred'
// A comment comes every few seconds, a minute at most.
const SILENCE_MS = 75_000
// A release by somebody with the id is none of these events: each lease is asked for now and then.
const ASK_MS = 15_000
const LINGER_MS = 5000
const TOGETHER = 1000
// No right to read, or too many followers: what is asked for now and then must do.
const REFUSALS = [401, 403, 429]

/** Follows the events of the service while there are leases to be told about. Keeps no program alive. */
export class Watcher {
  #transport
  #leases = new Map()
  #count = 0
  #stream = null
  #isRunning = false
  #isFollowing = false
  #timer = null
  #emptySince = 0
  // Whether the service knows a request for several, as far as is known.
  #renewsSeveral = true
  #kinds = `${ENDS},yield`

  constructor(transport) { this.#transport = transport }

  /** Those that are renewed are told by that, too: for them alone nothing is opened. */
  add(lease) {
    this.#leases.set(lease.ref, lease)
    if (lease.isRenewed) return
    this.#count += 1
    this.#timer ??= setTimeout(() => this.#ask(), ASK_MS).unref()
    if (!this.#isRunning) this.#run()
  }

  remove(lease) {
    if (!this.#leases.delete(lease.ref) || lease.isRenewed) return
    this.#count -= 1
    if (this.#count === 0) this.#emptySince = now()
  }

  /** Renews a lease that is due, and those that soon are, in one request; null where it is to be renewed alone. */
  async renewTogether(lease, how) {
    const time = now()
    const others = this.#renewsSeveral ? [...this.#leases.values()].filter(one => one !== lease && one.joins(time)) : []
    if (others.length === 0) return null
    const leases = [lease, ...others.slice(0, TOGETHER - 1)]
    const body = JSON.stringify({ leases: leases.map(one => one.id) })
    const asked = this.#transport.ask('POST', '/leases/renew', { ...how, body })
    const parts = asked.then(partsOf)
    for (const one of leases.slice(1)) one.join(parts.then(found => found.get(one.id)))
    const { status } = await asked
    // An older service.
    if ([400, 404, 405].includes(status)) this.#renewsSeveral = false
    return (await parts).get(lease.id)
  }

  close() {
    this.#leases.clear()
    this.#count = 0
    clearTimeout(this.#timer)
    this.#timer = null
    this.#emptySince = -Infinity
    this.#stream?.close()
  }

  get #isWanted() { return this.#count > 0 || now() - this.#emptySince < LINGER_MS }

  #ask() {
    this.#timer = null
    if (!this.#isWanted) return this.#stream?.close()
    this.#askAll()
    this.#timer = setTimeout(() => this.#ask(), ASK_MS).unref()
  }

  /** Nobody tells what happened while nobody listened. One after the other: there may be thousands. */
  async #askAll() {
    for (const lease of [...this.#leases.values()]) {
      if (!lease.isRenewed && lease.held) await lease.confirm().catch(() => {})
    }
  }

  async #run() {
    this.#isRunning = true
    for (let pause = 50; this.#isWanted; pause = Math.min(2 * pause, 1000)) {
      let isRefused = false
      try {
        this.#stream = await this.#transport.open('GET', `/events?kind=${this.#kinds}`, { timeoutMs: 5000, background: true })
        if (this.#stream.status < 300) {
          pause = 50
          await this.#read(this.#stream.lines(() => SILENCE_MS))
        } else if (this.#stream.status === 400) {
          // An older service, which asks nobody to yield.
          this.#kinds = ENDS
        } else {
          isRefused = REFUSALS.includes(this.#stream.status)
        }
      } catch {
        // It is opened again.
      }
      this.#isFollowing = false
      this.#stream?.close?.()
      this.#stream = null
      const rest = isRefused ? ASK_MS : pause
      if (this.#isWanted) await new Promise(resolve => setTimeout(resolve, rest).unref())
    }
    this.#isRunning = false
    // A lease may have come in the meantime.
    if (this.#count > 0) this.#run()
  }

  async #read(lines) {
    let kind = ''
    for await (const line of lines) {
      if (!this.#isFollowing) {
        this.#isFollowing = true
        this.#askAll()
      }
      if (line.startsWith('event: ')) kind = line.slice(7)
      else if (line.startsWith('data: ')) this.#tell(kind, JSON.parse(line.slice(6)))
    }
  }

  #tell(kind, event) {
    if (kind === 'gap') this.#askAll()
    else if (kind === 'yield') this.#leases.get(event.ref)?.askToYield()
    else this.#leases.get(event.ref)?.ended(event)
  }
}

/** Each lease's part of the answer to a request for several, as the answer to a renewal of it alone. */
function partsOf({ status, body, sentAt }) {
  const parts = new Map()
  if (status !== 200) return parts
  for (const one of body.renewed) parts.set(one.lease, { status: 200, body: one, sentAt })
  for (const one of body.lost) {
    parts.set(one.lease, { status: one.code === 'no-such-lease' ? 404 : 410, body: one, sentAt })
  }
  return parts
}
