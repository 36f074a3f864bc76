/** What the service refused, or why it could not be asked. `code` is stable; `status` is 0 where nothing answered. */
export class LeaseholdError extends Error {
  constructor(detail, { code, status = 0, problem = null, cause } = {}) {
    super(status === 0 ? detail : `${code}: ${detail}`, cause === undefined ? undefined : { cause })
    this.name = new.target.name
    this.code = code
    this.detail = detail
    this.status = status
    this.requestId = problem?.request_id ?? null
    Object.defineProperty(this, 'problem', { value: problem })
  }
}

/** Somebody else has the lock. */
export class Locked extends LeaseholdError {
  get holders() { return this.problem?.holders ?? [] }
  get waiters() { return this.problem?.waiters ?? 0 }
}

/** Somebody else still had the lock when `waitMs` was over. */
export class WaitTimeout extends Locked {}

/** The caller waits for what it holds itself. */
export class AlreadyHeld extends LeaseholdError {}

/** Two or more wait for each other; `circle` says who for what. */
export class Deadlock extends LeaseholdError {
  get circle() { return this.problem?.circle ?? [] }
}

/** A newer request of its group (`newest`) waits: leave the work to that one. */
export class Superseded extends LeaseholdError {}

/** The lease is over although nobody here gave it back: what was done since `endedAt` was done without the lock. */
export class LeaseLost extends LeaseholdError {
  constructor(reason, { keys = [], breakReason = null, endedAt = null, status = 0, problem = null } = {}) {
    const why = breakReason ? `${reason}: ${breakReason}` : reason
    super(`the lease on ${keys.join(', ') || 'the lock'} is lost (${why})`, { code: 'lease-lost', problem })
    this.status = status
    this.reason = reason
    this.breakReason = breakReason
    this.endedAt = endedAt
  }
}

/** The caller may not do this: the socket's group, a token, another user's lease. */
export class Denied extends LeaseholdError {}

/** No service answered, or it has no room just now. */
export class Unavailable extends LeaseholdError {}

/** The kernel has no room for another semaphore. */
export class KernelLimit extends LeaseholdError {}

/** The request can never succeed as it is. */
export class Invalid extends LeaseholdError {
  get parameter() { return this.problem?.parameter ?? null }
}

function kindOf(status, code, problem) {
  if (code === 'wait-timeout') return WaitTimeout
  if (status === 423) return Locked
  if (code === 'deadlock') return isOnlyOneself(problem.circle) ? AlreadyHeld : Deadlock
  if (code === 'superseded') return Superseded
  if (status === 401 || status === 403) return Denied
  if (status === 507) return KernelLimit
  if (status === 429 || status === 503) return Unavailable
  return status < 500 ? Invalid : LeaseholdError
}

function isOnlyOneself(circle = []) {
  return circle.length === 1 && circle[0].you === true
}

/** Whether the answer says that the lease is over. */
export function isGone({ status, body }) {
  return status === 410 || (status === 404 && body?.code === 'no-such-lease')
}

/** The error for an answer of 400 and above. */
export function errorOf(answer, keys) {
  if (isGone(answer)) return lossOf(answer, keys)
  const { status, body } = answer
  const problem = typeof body === 'object' && body !== null ? body : {}
  const code = problem.code ?? `http-${status}`
  const detail = problem.detail ?? `the service answered with status ${status}`
  return new (kindOf(status, code, problem))(detail, { code, status, problem })
}

/** The loss that an answer of 410 or 404 tells of. */
export function lossOf({ status, body }, keys) {
  const { reason, code, break_reason: breakReason, ended_at: endedAt } = body ?? {}
  return new LeaseLost(reason ?? code ?? 'gone', { keys, breakReason, endedAt, status, problem: body })
}
