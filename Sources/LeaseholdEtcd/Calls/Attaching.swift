public import Leasehold
internal import LeaseholdHost
import Synchronization

// Leases that are bound to a connection later, and what an Idempotency-Key got and waits for.
extension EtcdLockService {
  /// Binds a lease to the caller's connection: this server renews it as long as that lives.
  ///
  /// - Throws: As ``renew(_:on:ttl:within:at:)``.
  public func attach(_ request: AttachRequest, at now: MonotonicInstant) throws(LeaseholdError) -> LeaseSnapshot {
    let (place, sent) = try rewrite(request.lease, on: nil, within: request.caller.confinement) { entry in
      if let ttl = request.ttl, ttl > .zero {
        entry.ttl = ttl.millisecondsRoundedUp
      } else if !entry.isBound {
        entry.ttl = Self.ttlOfBound.millisecondsRoundedUp
      }
      entry.isBound = true
    }
    var held = renewed(place, sent: sent)
    held.connection = request.caller.connection
    held.renewsAt = sent + place.entries[0].ttl * 1_000_000 / 3
    let older = held.followers
    held.followers = []
    let bound = held
    change { state, notices in
      state.held[place.name] = bound
      let now = MonotonicInstant(nanoseconds: HostClock.monotonic())
      for client in older { notices.append { client.ended(.transferred, at: now) } }
    }
    alarm.ring()
    return snapshot(bound, isReplay: true)
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
    let (attempts, found) = try state.withLock { state throws(LeaseholdError) in
      guard !state.isDraining else { throw .notServing(true) }
      state.canceled.insert(own)
      let attempts = state.attempts.values.filter { $0.request.callersKey == own }.sorted { $0.number < $1.number }
      let waiting = Set(attempts.compactMap { state.waiters[$0.number]?.place.name })
      var found: [String: [QueueEntry]] = [:]
      for queue in state.view.locks.values {
        for entry in queue.entries where entry.hash != nil && entry.lock == entry.allLocks[0] {
          found[entry.name] = state.view.entries(entry.name)
        }
      }
      // What this server wrote last may be ahead of what it was told.
      for (name, held) in state.held where held.place.entries[0].hash != nil { found[name] = held.place.entries }
      let rest = found.filter { !waiting.contains($0.key) && !$0.value.isEmpty }.map(\.value)
      return (attempts, rest.sorted { $0[0].name < $1[0].name })
    }
    var outcome = CancelOutcome()
    for attempt in attempts {
      outcome.waiters += 1
      let isOurs = state.withLock { $0.attempts[attempt.number] != nil }
      withdraw(.waiter(attempt.number), at: now)
      if isOurs { attempt.client.refused(.canceled()) }
    }
    for entries in found {
      let first = entries[0]
      guard let lock = EtcdLayout.decoded(first.allLocks[0]),
        first.hash == EtcdLayout.digest("key", lock.text, key, String(caller.door))
      else { continue }
      do throws(LeaseholdError) {
        _ = try end(entries, .released) { _ in .noSuchLease() }
        if first.isWaiting { outcome.waiters += 1 } else { outcome.leases.append(first.ref) }
      } catch {
        // It ended by itself meanwhile.
        if error.code != .noSuchLease { throw error }
      }
    }
    return outcome
  }
}
