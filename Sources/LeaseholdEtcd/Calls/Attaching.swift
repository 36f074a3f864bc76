public import Leasehold
internal import LeaseholdHost
internal import LeaseholdQueue
import Synchronization

// Leases that are bound to a connection later, and what an Idempotency-Key got and waits for.
extension EtcdLockService {
  /// Binds a lease to the caller's connection: this server renews it as long as that lives.
  ///
  /// - Throws: As ``renew(_:on:ttl:within:at:)``.
  public func attach(_ request: AttachRequest, at now: MonotonicInstant) throws(LeaseholdError) -> LeaseSnapshot {
    let found = try find(request.lease, on: nil, within: request.caller.confinement)
    let asked = request.ttl.flatMap { $0 > .zero ? $0 : nil }
    let ttl = asked ?? (found.first.value.isBound ? nil : Self.ttlOfBound)
    let grant = try change(found, found.renewal(ttl, binds: true))
    let held = change { state in
      let older = state.held[found.name]?.followers ?? []
      var held = Held(id: request.lease, grant: grant)
      held.kinds = state.held[found.name]?.kinds ?? [:]
      (held.connection, held.renewsAt) = (request.caller.connection, Self.renewal(of: grant))
      state.held[found.name] = held
      for client in older { state.notices.append { client.ended(.transferred, nil, at: Self.now()) } }
      return held
    }
    wake(by: held.renewsAt)
    let snapshot = state.withLock { $0.snapshot(held) }
    snapshot.replayed = true
    return snapshot
  }

  /// The ttl of a lease that is bound to a connection and has none.
  static let ttlOfBound = TimeSpan.seconds(10)

  /// Takes back what a caller's Idempotency-Key got or waits for, as far as this server sees, and refuses it here from
  /// now on.
  ///
  /// - Throws: `draining`, `engine-unavailable`, `outcome-unknown`.
  public func cancel(
    key: String, of caller: Caller, at now: MonotonicInstant
  ) throws(LeaseholdError) -> CancelOutcome {
    let own = CallersKey(key, of: caller)
    catchUp()
    let (calls, found) = try state.withLock { state throws(LeaseholdError) in
      guard !state.isDraining else { throw .draining() }
      state.canceled.insert(own)
      let calls = state.calls.values.filter { $0.request?.callersKey == own }.sorted { $0.number < $1.number }
      let waiting = Set(calls.compactMap { state.waiters[$0.number]?.place.name })
      // What this server wrote last may be ahead of what it was told.
      let names = Set(state.view.places.keys).union(state.held.keys).subtracting(waiting)
      let found = names.sorted().compactMap(state.found).filter { $0.first.value.retry != nil }
      return (calls, found)
    }
    var outcome: CancelOutcome = ([], 0)
    // A place in a queue is seen before the call that waits there says that it is its own: it is counted once.
    var places = 0
    for call in calls {
      let isOurs = state.withLock { $0.calls[call.number] != nil }
      withdraw(.waiter(call.number), at: now)
      if isOurs { call.client.refused(.canceled()) }
    }
    for lease in found {
      guard let lock = EtcdNames.decoded(lease.locks[0]),
        lease.first.value.retry == Self.hash(of: key, on: lock, by: caller)
      else { continue }
      guard try releaseIfHeld(lease) else { continue }
      if lease.first.value.isWaiting { places += 1 } else { outcome.leases.append(lease.first.value.ref) }
    }
    outcome.waiters = max(calls.count, places)
    return outcome
  }
}
