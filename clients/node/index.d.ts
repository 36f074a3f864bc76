/** One of several locks that are taken on one lease. */
export interface Want {
  key: string
  /** Beside others that share. */
  shared?: boolean
  /** The slots of a counting lock: how many there are, or their names. */
  slots?: number | string[]
  /** The names of slots to take. */
  slot?: string | string[]
  /** Slots to take at once, all or none. Default 1. */
  count?: number
  /** Makes the set of a name like `sysv:0x51.0` where there is none. */
  create?: boolean
  /** With `create`: the value of each semaphore. Default 1. */
  value?: number
}

export type Keep = 'auto' | 'process' | 'cgroup' | 'stream' | 'renewal'

/** Times are in milliseconds, as their names say. What stands in a `Want` is for one lock. */
export interface AcquireOptions extends Omit<Want, 'key'> {
  /** How long to wait in the queue: 0 tries once, left out waits on and on. */
  waitMs?: number
  /** Cancels the wait. A lease that is held already is not affected. */
  signal?: AbortSignal
  /** Asks for a lease that is renewed by the library, and ends after this time without a renewal. */
  ttlMs?: number
  /** The longest that the lease may last. */
  maxHoldMs?: number
  /** How long the slots stay taken after the lease was lost. */
  cooldownMs?: number
  /** How long the slots stay taken from the grant on, even when the lease is given back earlier. */
  holdAtLeastMs?: number
  /**
   * At the end of `maxHoldMs`, or when an operator ends the lease, this process gets TERM, and KILL after this time; only
   * then others get the lock.
   */
  stopGraceMs?: number
  /** A group of which this request is the newest: older ones end with `Superseded`, and a holder is asked to yield. */
  newest?: string
  /** The holder's own words, shown to everybody who asks who holds the lock. */
  note?: string
  /** Shown to everybody who asks who holds the lock. Default `USER@HOST PROGRAM`. */
  owner?: string
  /**
   * What keeps the lease. `auto`: the process over a Unix socket, else a stream; renewal where there is `ttlMs`. `cgroup`:
   * all processes of the caller's cgroup, over the Unix socket.
   */
  keep?: Keep
  /** Leases that the caller keeps while it waits. Within `withLock` those around it are known. */
  holding?: Lease[]
  /** `ignore`: a block that is over returns its value although the lease was lost meanwhile. Default `throw`. */
  onLost?: 'throw' | 'ignore'
  /** The client to use instead of the one that goes where the environment says. */
  client?: Client
}

/** A lock that is held. */
export class Lease implements AsyncDisposable {
  private constructor()
  readonly keys: string[]
  /** Short name, for listings and logs. */
  readonly ref: string
  /** Grows with every grant: send it along with each write that must not come late. */
  readonly fence: number
  /** That of each lock: what was added has its own. */
  readonly fences: Record<string, number>
  /** The name of its slot, the first where it has several; null where slots have no names. */
  readonly slot: string | null
  /** The names of its slots, on locks whose slots have names. */
  readonly slots: string[]
  readonly mode: 'exclusive' | 'shared'
  readonly owner: string | null
  readonly keep: Exclude<Keep, 'auto'>
  /** The instant until which `holdAtLeastMs` keeps it taken, RFC 3339; null where nothing does. */
  readonly keptUntil: string | null
  /** Secret: whoever has it may renew and release. */
  readonly id: string
  /** Aborts at once when the lease is lost, with the LeaseLost as its reason. */
  readonly signal: AbortSignal
  /** Aborts when a newer request of its group (`newest`) waits. The lease is held on until you give it back. */
  readonly yieldSignal: AbortSignal
  /** By the clock of this moment. */
  readonly held: boolean
  /** Infinity when only the end of the process or of the connection ends the lease. */
  readonly remainingMs: number
  readonly loss: LeaseLost | null
  /** Throws LeaseLost when it is lost. */
  check(): void
  /** Moves the deadline to the ttl from now. */
  renew(options?: { note?: string }): Promise<void>
  /** Shows everybody who asks a text beside the lease; an empty one clears it. */
  note(text: string): Promise<void>
  /** Takes more locks on this lease, all or none, without a wait. */
  add(...wants: (string | Want)[]): Promise<void>
  /** True when it was held until now. Never throws. `early` frees what `holdAtLeastMs` keeps, also after a release. */
  release(options?: { early?: boolean }): Promise<boolean>
  /** Environment variables for a program that is to know of the lease. */
  env(): Record<string, string>
  /** Releases; throws LeaseLost when it was lost, unless `onLost` is `ignore`. */
  [Symbol.asyncDispose](): Promise<void>
}

export interface ClientOptions {
  /** `unix:/path`, `http://host:port` or `https://host:port`. Default LEASEHOLD_URL, the socket, TCP. */
  url?: string
  /** Default LEASEHOLD_TOKEN. */
  token?: string
  /** A file in PEM with the certificates that vouch for the service. Default LEASEHOLD_CACERT. */
  ca?: string
  /** How long the service may take to answer, and be away. Default 5000. */
  timeoutMs?: number
}

type Key = string | (string | Want)[]

export class Client {
  constructor(options?: ClientOptions)
  readonly url: string
  acquire(key: Key, options?: AcquireOptions): Promise<Lease>
  withLock<Value>(key: Key, body: (lease: Lease) => Value | Promise<Value>): Promise<Value>
  withLock<Value>(key: Key, options: AcquireOptions, body: (lease: Lease) => Value | Promise<Value>): Promise<Value>
  /** Gives a counting lock another number of slots, or other names of them, while it is in use; 0 pauses it. */
  resize(key: string, slots: number | string[], options?: { pinned?: boolean }): Promise<Record<string, any>>
  /** Any request of openapi.yaml; resolves to the JSON of its answer. */
  send(
    method: string, target: string, options?: { body?: unknown, signal?: AbortSignal, timeoutMs?: number },
  ): Promise<any>
  close(): void
}

/** The client that `acquire` and `withLock` use. */
export function defaultClient(): Client
export function acquire(key: Key, options?: AcquireOptions): Promise<Lease>
export function withLock<Value>(key: Key, body: (lease: Lease) => Value | Promise<Value>): Promise<Value>
export function withLock<Value>(
  key: Key, options: AcquireOptions, body: (lease: Lease) => Value | Promise<Value>): Promise<Value>

export class LeaseholdError extends Error {
  /** Stable; listed in openapi.yaml. */
  readonly code: string
  readonly detail: string
  /** 0 where nothing answered. */
  readonly status: number
  readonly requestId: string | null
  /** The whole answer. */
  readonly problem: Record<string, any> | null
}

export class Locked extends LeaseholdError {
  readonly holders: Record<string, any>[]
  readonly waiters: number
}

export class WaitTimeout extends Locked {}
export class AlreadyHeld extends LeaseholdError {}

export class Deadlock extends LeaseholdError {
  readonly circle: Record<string, any>[]
}

/** A newer request of its group (`newest`) waits: leave the work to that one. */
export class Superseded extends LeaseholdError {}

export class LeaseLost extends LeaseholdError {
  /** The service's word, or `deadline`, `silent`, `connection-closed`. */
  readonly reason: string
  readonly breakReason: string | null
  /** RFC 3339, if the service told it. */
  readonly endedAt: string | null
}

export class Denied extends LeaseholdError {}
export class Unavailable extends LeaseholdError {}
export class KernelLimit extends LeaseholdError {}

export class Invalid extends LeaseholdError {
  readonly parameter: string | null
}
