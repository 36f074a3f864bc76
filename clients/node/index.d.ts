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
}

export type Keep = 'auto' | 'process' | 'stream' | 'renewal'

/** Times are in milliseconds, as their names say. */
export interface AcquireOptions {
  /** How long to wait in the queue: 0 tries once, left out waits on and on. */
  waitMs?: number
  /** Cancels the wait. A lease that is held already is not affected. */
  signal?: AbortSignal
  shared?: boolean
  /** The slots of a counting lock: how many there are, or their names. */
  slots?: number | string[]
  /** The names of slots to take. */
  slot?: string | string[]
  count?: number
  /** Asks for a lease that is renewed by the library, and ends after this time without a renewal. */
  ttlMs?: number
  /** The longest that the lease may last. */
  maxHoldMs?: number
  /** How long the slots stay taken after the lease was lost. */
  cooldownMs?: number
  /** How long the slots stay taken from the grant on, even when the lease is given back earlier. */
  holdAtLeastMs?: number
  /** The holder's own words, shown to everybody who asks who holds the lock. */
  note?: string
  /** Shown to everybody who asks who holds the lock. Default `USER@HOST PROGRAM`. */
  owner?: string
  /** What keeps the lease. `auto`: the process over a Unix socket, else a stream; renewal where there is `ttlMs`. */
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
  /** The name of its slot, the first where it has several; null where slots have no names. */
  readonly slot: string | null
  /** The names of its slots, on locks whose slots have names. */
  readonly slots: string[]
  readonly mode: 'exclusive' | 'shared'
  readonly owner: string | null
  readonly keep: Exclude<Keep, 'auto'>
  /** Secret: whoever has it may renew and release. */
  readonly id: string
  /** Aborts at once when the lease is lost, with the LeaseLost as its reason. */
  readonly signal: AbortSignal
  /** By the clock of this moment. */
  readonly held: boolean
  /** Infinity when only the end of the process or of the connection ends the lease. */
  readonly remainingMs: number
  readonly loss: LeaseLost | null
  /** Throws LeaseLost when it is lost. */
  check(): void
  /** Moves the deadline to the ttl from now. */
  renew(): Promise<void>
  /** Shows everybody who asks a text beside the lease; an empty one clears it. */
  note(text: string): Promise<void>
  /** True when it was held until now. Never throws. */
  release(): Promise<boolean>
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
