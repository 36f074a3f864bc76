import Leasehold
import LeaseholdTestKit

extension Scene {
  /// An operator ends somebody's lease; the answer is a refusal's code.
  @discardableResult
  func breaks(_ who: String, after: TimeSpan = .zero, reason: String? = nil) -> LeaseholdError.Code? {
    guard let lease = leases[who] else { return nil }
    if after == .zero { history.isBroken(lease.id, daemon.processes) }
    history.shorten(lease.id, to: (daemon.clock.now + after).nanoseconds)
    var request = BreakRequest(.ref(lease.id.high >> 24), caller: Caller(connection: 9, peer: .unknown))
    request.after = after
    request.reason = reason
    let asked = request
    return attempt { () throws(LeaseholdError) in _ = try ledger.breakLease(asked, at: daemon.moment) }
  }

  /// Somebody binds a lease to a connection; the answer is a refusal's code.
  @discardableResult
  func attach(_ who: String, to connection: ConnectionID = 5, ttl: TimeSpan? = nil) -> LeaseholdError.Code? {
    guard let lease = leases[who] else { return nil }
    var request = AttachRequest(lease.id, caller: Caller(connection: connection, peer: .unknown))
    request.ttl = ttl
    let asked = request
    return attempt { () throws(LeaseholdError) in
      let attached = try ledger.attach(asked, at: daemon.moment)
      if daemon.crash.hasCrashed {
        // Nobody heard: it ends as it would have, or one grace after its connection.
        history.shorten(lease.id, to: (daemon.clock.now + daemon.limits.recoveryGrace).nanoseconds)
      } else if history.leases.contains(where: { $0.id == lease.id }) {
        note(attached, of: who)
      }
    }
  }

  /// Somebody takes an Idempotency-Key back, with what they got for it.
  @discardableResult
  func takeBack(_ key: String, of who: String) -> CancelOutcome? {
    if let lease = leases[who] { history.letGo(lease.id) }
    var outcome: CancelOutcome?
    _ = attempt { () throws(LeaseholdError) in
      outcome = try ledger.cancel(key: key, of: Caller(connection: 3, peer: .unknown), at: daemon.moment)
    }
    return outcome
  }

  /// Somebody hands a lease over; the answer is a refusal's code.
  @discardableResult
  func transfer(
    _ who: String, to other: String, owner: String? = nil, _ change: (inout TransferRequest) -> Void = { _ in }
  ) -> LeaseholdError.Code? {
    guard let lease = leases[who] else { return nil }
    var request = TransferRequest(lease.id, caller: Caller(connection: 5, peer: .unknown))
    request.owner = owner
    change(&request)
    let asked = request
    return attempt { () throws(LeaseholdError) in
      do throws(LeaseholdError) {
        let successor = try ledger.transfer(asked, at: daemon.moment)
        history.letGo(lease.id)
        if !daemon.crash.hasCrashed { note(successor, of: other) }
      } catch {
        if daemon.crash.hasCrashed { history.letGo(lease.id) }
        throw error
      }
    }
  }

  /// Somebody wants more locks on a lease; the answer is a refusal's code.
  @discardableResult
  func add(_ who: String, _ keys: [String], _ change: (inout Want) -> Void = { _ in }) -> LeaseholdError.Code? {
    guard let lease = leases[who] else { return nil }
    let wants = keys.map { key in
      var want = Want(LockName(Self.key(key)))
      change(&want)
      return want
    }
    history.askedToConvert(lease.id)
    return attempt { () throws(LeaseholdError) in
      let added: LeaseSnapshot
      do throws(LeaseholdError) {
        let request = AddRequest(lease.id, wants, caller: Caller(connection: 1, peer: .unknown))
        added = try ledger.add(request, at: daemon.moment)
      } catch {
        if !daemon.crash.hasCrashed { history.converted(lease) }
        throw error
      }
      if !daemon.crash.hasCrashed { becomes(added, of: who) }
    }
  }
}
