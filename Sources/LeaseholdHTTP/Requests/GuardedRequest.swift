import Leasehold
import Synchronization

/// A request that runs under the lock which guards a segment: PHP's semaphore of the segment's key.
///
/// Life cycle: made with the exchange; asks for the lock; the thread that is told of the grant does the work, gives the
/// lock back and then answers. The lock is held for the work alone, never for the answer's way to the caller. A request
/// that hung up leaves the queue, and nothing is done for it.
final class GuardedRequest: LeaseClient, PendingRequest {
  /// The work to do under the lock; looks at nothing that belongs to the connection's thread.
  typealias Work = @Sendable () throws(LeaseholdError) -> Response

  /// The time for which a request queues for the lock when it does not say.
  static let waitDefault = TimeSpan.seconds(5)
  /// The time for which the lock is taken if the service dies in between.
  private static let ttl = TimeSpan.seconds(5)

  private let request: ParkedRequest
  private let work: Work
  private let waiter = Mutex<WaiterID?>(nil)
  /// Its place among what its caller may have waiting.
  private let place: CallerClaim?
  /// Why its caller may not wait, although it asks to.
  private let refusal: LeaseholdError?

  private init(
    _ exchange: Exchange, server: Server, place: CallerClaim?, orWaiting refusal: LeaseholdError?, work: @escaping Work
  ) {
    self.place = place
    self.refusal = refusal
    self.work = work
    request = ParkedRequest(exchange, server: server, asText: false)
  }

  private var locks: any LockService { request.server.engine.locks }

  /// Does the work under the lock of a segment's key, waiting for it.
  ///
  /// - Parameter key: `nil` for a segment without a key, which no lock guards.
  static func run(_ call: borrowing Call, key: Int32?, _ work: @escaping Work) throws(LeaseholdError) -> Disposition {
    let wait = try call.waitOrPreferred(waitDefault)
    let lease = call.arguments[.lease] == nil ? nil : try call.leaseArgument("?lease=ID")
    if let key, let lease { try call.check(lease, on: key) }
    guard let key, lease == nil else { return call.respond(try work()) }
    let asking = call.caller
    // The service's own, for an instant: it counts for no caller.
    let caller = Caller(
      connection: asking.connection, peer: asking.peer, groups: asking.groups, confinement: asking.confinement,
      trace: asking.trace)
    var request = AcquireRequest(
      key: LockKey(guardingVariablesAt: key), ttl: min(max(ttl, call.server.limits.ttlMin), call.server.limits.ttlMax),
      caller: caller)
    request.wait = wait
    request.owner = "leasehold: shm"
    request.leavesNoTrace = true
    request.want.lock.native = .php(key, for: caller)
    var (place, refusal): (CallerClaim?, LeaseholdError?)
    if wait > .zero {
      do throws(LeaseholdError) { place = try asking.account?.claim(.waiters) } catch { refusal = error }
    }
    if refusal != nil { request.wait = .zero }
    return try GuardedRequest(call.exchange, server: call.server, place: place, orWaiting: refusal, work: work)
      .begin(request, at: call.now)
  }

  private func begin(_ request: AcquireRequest, at now: MonotonicInstant) throws(LeaseholdError) -> Disposition {
    let outcome = locks.acquire(
      request,
      client: {
        self.request.exchange.context.pending = self
        return self
      }, at: now)
    switch outcome {
    case .granted(let lease): return self.request.exchange.respond(try perform(lease.id))
    case .refused(let error): throw answer(to: error)
    case .waiting(let waiter, _):
      self.waiter.withLock { $0 = waiter }
      return .pending
    }
  }

  private func perform(_ lease: LeaseID) throws(LeaseholdError) -> Response {
    // An operator who broke the lease meanwhile has given the lock back already.
    defer { _ = try? locks.release(lease, at: Server.now()) }
    return try work()
  }

  func granted(_ lease: LeaseSnapshot) { request.server.run { [self] in answer(lease) } }

  private func answer(_ lease: LeaseSnapshot) {
    do throws(LeaseholdError) {
      request.answer(try perform(lease.id))
    } catch {
      request.refuse(error)
    }
  }

  func refused(_ error: LeaseholdError) { request.refuse(answer(to: error)) }

  private func answer(to error: LeaseholdError) -> LeaseholdError {
    error.code == .locked ? refusal ?? error : error
  }

  func ended(_ reason: EndReason, _ note: BreakNote?, at instant: MonotonicInstant) {}

  func hungUp() {
    guard let waiter = waiter.withLock({ $0 }) else { return }
    locks.withdraw(.waiter(waiter), at: Server.now())
  }
}

extension Call {
  /// The caller's lease must be alive, and be on the very semaphore that guards the segment.
  fileprivate func check(_ id: LeaseID, on key: Int32) throws(LeaseholdError) {
    let lease = try server.engine.locks.lease(id, within: confinement, at: now)
    guard lease.guardsVariables(at: key) else {
      let lock = LockKey(guardingVariablesAt: key).text
      throw LeaseholdError(
        .noSuchLease,
        "The lease is on lock '\(lease.key.text)', and this segment is guarded by '\(lock)'; acquire that one.",
        facts: [("parameter", .text("lease")), ("key", .text(lease.key.text)), ("guard", .text(lock))])
    }
  }
}
