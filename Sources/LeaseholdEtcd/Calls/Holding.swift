internal import EtcdGateway
public import Leasehold
internal import LeaseholdHost
internal import LeaseholdQueue
import Synchronization

/// Leases that are renewed together, by several threads.
private final class Batch: Sendable {
  let leases: [LeaseID]
  private let next = Atomic(0)
  private let results: Mutex<[Result<LeaseSnapshot, LeaseholdError>?]>
  private let isOver = Alarm()

  init(_ leases: [LeaseID]) {
    self.leases = leases
    results = Mutex(Array(repeating: nil, count: leases.count))
  }

  /// Renews as long as there are some that nobody has begun with.
  func work(_ renew: (LeaseID) -> Result<LeaseSnapshot, LeaseholdError>) {
    while true {
      let index = next.add(1, ordering: .relaxed).oldValue
      guard index < leases.count else { return isOver.ring() }
      let result = renew(leases[index])
      results.withLock { $0[index] = result }
    }
  }

  /// Waits for all; each has a deadline of its own.
  func all() -> [Result<LeaseSnapshot, LeaseholdError>] {
    while true {
      let done = results.withLock { $0.compactMap(\.self) }
      if done.count == leases.count { return done }
      isOver.sleep(until: HostClock.monotonic(after: .seconds(1)))
    }
  }
}

// Leases that are held: renewed, released.
extension EtcdLockService {
  /// Follows a lease that this server told of.
  public func follow(_ lease: LeaseID, client: any LeaseClient) -> Bool {
    let name = EtcdNames.entry(of: lease)
    let deadline = state.withLock { state -> Int64? in
      guard let held = state.held[name] else { return nil }
      state.held[name]?.followers.append(client)
      return held.deadline
    }
    guard let deadline else { return false }
    hurryUp()
    client.renewed(until: MonotonicInstant(nanoseconds: deadline))
    return true
  }

  /// Moves a lease's deadline, by a transaction that writes.
  ///
  /// - Throws: What 410 says of its end, `no-such-lease`, `engine-unavailable`, `outcome-unknown`.
  public func renew(
    _ lease: LeaseID, on lock: LockName?, ttl: TimeSpan?, within confinement: Confinement?, at now: MonotonicInstant
  ) throws(LeaseholdError) -> LeaseSnapshot {
    if ttl == .zero { throw .notSupported("A lease on etcd needs a ttl.", instead: "a ttl") }
    let found = try find(lease, on: lock, within: confinement)
    if let end = found.first.value.end { throw .beingBroken(found.first, end) }
    let held = remember(try change(found, found.renewal(ttl)), of: lease)
    return state.withLock { $0.snapshot(held) }
  }

  /// The threads that renew the leases of one request.
  private static let renewersMax = 16

  /// Renews many at a time: each is a transaction of its own.
  public func renew(
    _ leases: [LeaseID], ttl: TimeSpan?, within confinement: Confinement?, at now: MonotonicInstant
  ) -> [Result<LeaseSnapshot, LeaseholdError>] {
    let batch = Batch(leases)
    let one = { @Sendable [self] (lease: LeaseID) -> Result<LeaseSnapshot, LeaseholdError> in
      Result { () throws(LeaseholdError) in try renew(lease, on: nil, ttl: ttl, within: confinement, at: now) }
    }
    for _ in 1..<max(1, min(leases.count, Self.renewersMax)) where !run({ batch.work(one) }) { break }
    batch.work(one)
    return batch.all()
  }

  /// Changes a lease as long as it is what was seen of it.
  ///
  /// - Throws: What 410 says of its end, `engine-unavailable`, `outcome-unknown`.
  func change(_ found: Found, _ kind: LeaseChange.Kind) throws(LeaseholdError) -> Attempt.Grant {
    var change = LeaseChange(found.name, found.locks, kind)
    change.look(found.sight)
    let deadline = Self.deadline()
    while let transaction = change.transaction {
      change.receive(try send(transaction, try session(for: transaction), before: deadline))
    }
    switch change.phase {
    case .done(let grant): return grant
    case .ended(let end):
      let end = end ?? found.first.expiry
      // In the grace that an operator gives, the lease stands and can be released.
      if !kind.isRelease, end.over > Self.now() { throw .beingBroken(found.first, end) }
      ended(found, end)
      throw .over(end, key: EtcdNames.decoded(found.first.lock), ref: found.first.value.ref)
    case .looking, .sending: preconditionFailure("a change that is neither done nor late")
    }
  }

  /// Remembers what was written of a lease, and tells those who follow it.
  func remember(_ grant: Attempt.Grant, of id: LeaseID) -> Held {
    change { state in
      state.counters.renewed += 1
      let name = grant.entries[0].name
      guard var held = state.held[name] else { return Held(id: id, grant: grant) }
      (held.grant, held.taken) = (grant, nil)
      if held.connection != 0 { held.renewsAt = Self.renewal(of: grant) }
      state.held[name] = held
      state.tell(held)
      return held
    }
  }

  /// Gives a lease back; there is none that is to be held at least so long.
  ///
  /// - Throws: What 410 says of its end, `no-such-lease`, `engine-unavailable`, `outcome-unknown`.
  public func release(
    _ lease: LeaseID, on lock: LockName?, early: Bool, within confinement: Confinement?, at now: MonotonicInstant
  ) throws(LeaseholdError) -> ReleaseOutcome {
    do throws(LeaseholdError) {
      let first = try end(lease, .released, within: confinement, on: lock)
      return ReleaseOutcome(lease, of: EtcdNames.decoded(first.lock), already: false)
    } catch {
      guard error.code == .released else { throw error }
      let key = error.facts.first { $0.name == "key" }.flatMap { fact -> LockKey? in
        if case .text(let text) = fact.value { try? LockKey(utf8: text.utf8) } else { nil }
      }
      return ReleaseOutcome(lease, of: key, already: true)
    }
  }

  /// Ends a lease.
  ///
  /// - Returns: Its first entry as it was.
  func end(
    _ lease: LeaseID, _ reason: EndReason, within confinement: Confinement?, on lock: LockName?
  ) throws(LeaseholdError) -> QueueEntry {
    let found = try find(lease, on: lock, within: confinement)
    try end(found, reason)
    return found.first
  }

  /// Ends what was seen of a lease.
  func end(_ found: Found, _ reason: EndReason) throws(LeaseholdError) {
    let end = EndValue(reason, of: found.first)
    _ = try change(found, .release(end))
    ended(found, end)
  }

  /// Releases what was seen of a lease; false where it ended by itself meanwhile.
  func releaseIfHeld(_ found: Found) throws(LeaseholdError) -> Bool {
    do throws(LeaseholdError) {
      try end(found, .released)
      return true
    } catch {
      guard error.isOver else { throw error }
      return false
    }
  }

  /// A lease is over.
  func ended(_ found: Found, _ end: EndValue) {
    change { state in
      guard !found.first.value.isWaiting else { return }
      state.ends.note(found.name, end)
      state.end(found.name, end.endReason, end.breakNote, at: Self.now())
    }
  }

  /// Not to be had here.
  ///
  /// - Throws: `not-supported`.
  public func transfer(_ request: TransferRequest, at now: MonotonicInstant) throws(LeaseholdError) -> LeaseSnapshot {
    throw .notSupported(
      "The fence of a lease on etcd is its place in the queue, so a new holder must queue.",
      instead: "release, and acquire")
  }

  /// Releases all leases of an owner.
  ///
  /// - Throws: `engine-unavailable`, `outcome-unknown`.
  public func releaseAll(
    owner: String, key: LockKey?, of caller: Caller?, within confinement: Confinement?, at now: MonotonicInstant
  ) throws(LeaseholdError) -> [String] {
    let lock = key.map { EtcdNames.encoded($0) }
    let words = caller?.inWords
    let find = { [self] () -> [Found]? in
      let all = state.withLock { state in state.view.places.keys.sorted().compactMap(state.found) }
      let found = all.filter { lease in
        let value = lease.first.value
        guard !value.isWaiting, lease.isInTime, value.owner.isExactly(owner) else { return false }
        guard words.map({ value.peer.isExactly($0) }) ?? true else { return false }
        return lease.locks.allSatisfy { Self.covers($0, confinement) } && (lock.map(lease.locks.contains) ?? true)
      }
      return found.isEmpty ? nil : found
    }
    let found = heard(find) ?? []
    var refs: [String] = []
    for lease in found where try releaseIfHeld(lease) { refs.append(lease.first.value.ref) }
    return refs
  }
}

extension LockName {
  /// The stand-in for a name that cannot be read.
  static let unnamed: LockKey = {
    guard let key = try? LockKey(utf8: "?".utf8) else { preconditionFailure("'?' is a name") }
    return key
  }()
}
