import { setMaxListeners } from 'node:events'
import os from 'node:os'
import path from 'node:path'
import { Invalid } from './errors.js'

/** A lock for one of several: `{key, shared, slots, slot, count, create, value}`, or just its name. */
export function wantOf(one, options = {}) {
  const { key, shared = false, slots, slot, count, create = false, value }
    = typeof one === 'string' ? { ...options, key: one } : one ?? {}
  if (typeof key !== 'string' || key === '') throw invalid('the name of a lock is a text that is not empty')
  if (shared && slots !== undefined) throw invalid('a lock with slots cannot be shared')
  const want = { key }
  if (shared) want.mode = 'shared'
  if (Array.isArray(slots)) want.slots = names('slots', slots)
  else if (slots !== undefined) want.limit = whole('slots', slots, 1, 32767)
  if (slot !== undefined) want.slot = names('slot', [slot].flat())
  if (count !== undefined) want.count = whole('count', count, 1, 32767)
  if (create) want.create = '1'
  if (value !== undefined) want.value = whole('value', value, 1, 32767)
  return want
}

/** The slots of a lock that is to get others: how many, or their names. */
export function resizeOf(slots) {
  return Array.isArray(slots) ? { slots: names('slots', slots) } : { limit: whole('slots', slots, 0, 32767) }
}

function invalid(text) {
  return new Invalid(text, { code: 'invalid-option' })
}

function whole(name, value, minimum, maximum) {
  if (Number.isInteger(value) && value >= minimum && value <= maximum) return value
  throw invalid(`${name} is a whole number from ${minimum} to ${maximum}, not ${String(value)}`)
}

/** Names of slots as the service reads them. */
function names(name, values) {
  if (values.length > 0 && values.every(value => typeof value === 'string' && /^[^,]+$/.test(value))) return values.join(',')
  throw invalid(`${name} has names of slots without commas, not ${String(values)}`)
}

function milliseconds(name, value, minimum) {
  if (typeof value === 'number' && value >= minimum) return value
  throw invalid(`${name} is a number of milliseconds from ${minimum}, not ${String(value)}`)
}

const KEEPS = ['auto', 'process', 'cgroup', 'stream', 'renewal']
const time = name => value => duration(Math.ceil(milliseconds(name, value, 0)))
/** What the service is told as it is: an option, its parameter, and how its value is written. */
const TERMS = [
  ['cooldownMs', 'cooldown', time('cooldownMs')],
  ['holdAtLeastMs', 'hold_at_least', time('holdAtLeastMs')],
  ['stopGraceMs', 'grace', time('stopGraceMs')],
  ['newest', 'newest', String],
  ['note', 'note', String],
  ['owner', 'owner', String],
]
const UNITS = ['waitMs', 'ttlMs', 'maxHoldMs', ...TERMS.map(([option]) => option).filter(option => option.endsWith('Ms'))]

/**
 * What is asked of the service, checked: names, how long to wait, and how to keep the lease.
 *
 * `waitMs` left out waits on and on; 0 tries once. `ttlMs` asks for renewal.
 */
export function readOptions(key, options = {}) {
  const { waitMs = Infinity, ttlMs, maxHoldMs = Infinity, keep = 'auto', onLost = 'throw' } = options
  for (const unit of UNITS) {
    const name = unit.slice(0, -2)
    if (options[name] !== undefined) throw invalid(`there is no option ${name}: write ${unit}, in milliseconds`)
  }
  if (!KEEPS.includes(keep)) throw invalid(`keep is one of ${KEEPS.join(', ')}, not ${String(keep)}`)
  if (!['throw', 'ignore'].includes(onLost)) throw invalid(`onLost is throw or ignore, not ${String(onLost)}`)
  const wants = Array.isArray(key) ? key.map(one => wantOf(one)) : [wantOf(key, options)]
  if (wants.length === 0 || wants.length > 32) throw invalid('a lease is on 1 to 32 locks')
  if (ttlMs !== undefined && keep !== 'auto' && keep !== 'renewal') {
    throw invalid(`ttlMs is for leases that are renewed, not for keep ${keep}; maxHoldMs bounds any`)
  }
  const said = { ...options, owner: options.owner ?? defaultOwner() }
  return {
    wants,
    terms: Object.fromEntries(TERMS.filter(([option]) => said[option] !== undefined)
      .map(([option, parameter, written]) => [parameter, written(said[option])])),
    keys: wants.map(want => want.key),
    waitMs: milliseconds('waitMs', waitMs, 0),
    ttlMs: ttlMs === undefined ? undefined : milliseconds('ttlMs', ttlMs, 100),
    maxHoldMs: milliseconds('maxHoldMs', maxHoldMs, 100),
    keep: ttlMs === undefined ? keep : 'renewal',
    onLost,
    signal: options.signal === undefined ? undefined : signalOf(options.signal),
    holding: options.holding,
  }
}

export const encoded = text => encodeURIComponent(text).replace(/[!'()*]/g, mark => `%${mark.charCodeAt(0).toString(16)}`)
const duration = ms => `${Math.floor(ms)}ms`

/** A signal that many may wait with: as with fetch, a warning of too many listeners would be of no use. */
function signalOf(signal) {
  if (!(signal instanceof AbortSignal)) throw invalid('signal is an AbortSignal')
  setMaxListeners(0, signal)
  return signal
}

/** `USER@HOST PROGRAM`, in 128 bytes (rule 8). */
function defaultOwner() {
  let user = 'unknown'
  try {
    user = os.userInfo().username
  } catch {
    // A user without a name.
  }
  const text = `${user}@${os.hostname()} ${path.basename(process.argv[1] ?? process.title)}`.replace(/\p{C}/gu, '')
  let cut = ''
  for (const character of text) {
    if (Buffer.byteLength(cut + character) > 128) break
    cut += character
  }
  return cut
}

/** The path and the body of an acquire in a way of keeping: `process`, `cgroup`, `stream` or `renewal`. */
export function requestFor(options, way, { waitMs, holding }) {
  const fields = { ...options.terms, ...options.terms.grace && { stop: 'term' } }
  if (waitMs > 0) fields.wait = duration(Math.ceil(waitMs))
  if (way === 'process') Object.assign(fields, { bind: `pid:${process.pid}`, ttl: '0' })
  if (way === 'cgroup') Object.assign(fields, { bind: 'cgroup', ttl: '0' })
  if (options.maxHoldMs < Infinity) fields.ttl = duration(options.maxHoldMs)
  if (way === 'renewal') fields.ttl = duration(Math.min(options.ttlMs ?? 30_000, options.maxHoldMs))
  if (holding.length > 0) fields.holding = holding.join(',')
  if (options.wants.length > 1) return { target: '/leases', body: JSON.stringify({ want: options.wants, ...fields }) }
  const { key, ...rest } = options.wants[0]
  const query = new URLSearchParams({ ...rest, ...fields })
  return { target: `/locks/${encoded(key)}/${way === 'stream' ? 'hold' : 'acquire'}?${query}` }
}
