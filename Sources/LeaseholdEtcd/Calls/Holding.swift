internal import EtcdGateway
internal import JSONText
public import Leasehold
internal import LeaseholdHost
import Synchronization

// Leases that are held: renewed, released, ended.
extension EtcdLockService {
  /// Follows a lease that this server told of.
  public func follow(_ lease: LeaseID, client: any LeaseClient) -> Bool {
    let name = EtcdLayout.entry(of: lease)
    let deadline = state.withLock { state -> Int64? in
      guard let held = state.held[name] else { return nil }
      state.held[name]?.followers.append(client)
      return held.deadline
    }
    guard let deadline else { return false }
    client.renewed(until: MonotonicInstant(nanoseconds: deadline))
    return true
  }

  /// Finds a lease's entries, and its deadline where this server knows it.
  ///
  /// - Throws: `no-such-lease`, and what 410 says of its end.
  func find(
    _ id: LeaseID, on lock: LockName?, within confinement: Confinement?
  ) throws(LeaseholdError) -> (entries: [QueueEntry], deadline: Int64?) {
    if let lock { try checkPlain(lock) }
    let name = EtcdLayout.entry(of: id)
    let (seen, held, isOver) = state.withLock { ($0.view.entries(name), $0.held[name], $0.ends[name] != nil) }
    // No entry comes back: an end is newer than whatever is still seen of it.
    if isOver { throw over(id, nil) }
    var entries = seen
    // What this server wrote last may be ahead of what it was told.
    if let held, entries.first.map({ $0.modified < held.place.modified }) ?? true { entries = held.place.entries }
    // A lease that was granted a moment ago may still be seen as a waiter, or not at all.
    if entries.first?.isWaiting ?? true { entries = try search(id) }
    guard let first = entries.first, !first.isWaiting else { throw over(id, nil) }
    for entry in entries {
      guard let key = EtcdLayout.decoded(entry.lock), let confinement, !confinement.covers(key.text) else { continue }
      throw confinement.refusal("This reaches a lease on a lock that token '\(confinement.token)' may not use")
    }
    if let lock, !entries.contains(where: { $0.lock == EtcdLayout.encoded(lock.key) }) {
      throw .foreignLease(of: EtcdLayout.decoded(first.lock) ?? lock.key, asked: lock.key)
    }
    return (entries, held?.deadline)
  }

  /// Asks etcd for a lease that this server has not seen.
  private func search(_ id: LeaseID) throws(LeaseholdError) -> [QueueEntry] {
    let (name, deadline) = (EtcdLayout.entry(of: id), Self.deadline())
    let ranges = [layout.locks(of: name), layout.end(of: name)].map { EtcdOperation.range(EtcdRange(.one($0))) }
    let found = try commit(EtcdTransaction(if: [], then: ranges), before: deadline)
    guard let value = found.listings.first?.entries.first?.value else {
      throw over(id, found.listings.last?.entries.first.flatMap { StoredEnd($0.value) })
    }
    let locks = (JSON(value) ?? .null).elements.compactMap(\.string)
    let asked = locks.map { QueueEntry(lock: $0, name: name, units: 0) }
    let fate = recipe.fate(try commit(recipe.read(fateOf: asked), before: deadline), of: asked)
    guard !fate.entries.isEmpty else { throw over(id, fate.end) }
    return fate.entries
  }

  /// The end of a lease that is not there.
  func over(_ id: LeaseID, _ end: StoredEnd?) -> LeaseholdError {
    if let end {
      return .over(
        end.reason, key: EtcdLayout.decoded(end.lock), ref: id.ref, at: Self.instant(end.at), by: end.by, note: end.note
      )
    }
    guard let known = state.withLock({ $0.ends[EtcdLayout.entry(of: id)] }) else { return .noSuchLease() }
    return .over(known.reason, key: EtcdLayout.decoded(known.lock), ref: id.ref, at: known.at)
  }

  /// A reading of CLOCK_MONOTONIC for milliseconds of the wall clock, which is never ahead.
  static func instant(_ wall: Int64) -> Int64 {
    min(wall * 1_000_000 - HostClock.wallOffset(), HostClock.monotonic())
  }

  /// Moves a lease's deadline, by a transaction that writes.
  ///
  /// - Throws: What 410 says of its end, `no-such-lease`, `engine-unavailable`, `outcome-unknown`.
  public func renew(
    _ lease: LeaseID, on lock: LockName?, ttl: TimeSpan?, within confinement: Confinement?, at now: MonotonicInstant
  ) throws(LeaseholdError) -> LeaseSnapshot {
    if ttl == .zero { throw .notSupported("A lease on etcd needs a ttl.", instead: "a ttl") }
    let (place, sent) = try rewrite(lease, on: lock, within: confinement) { entry in
      if let ttl { entry.ttl = ttl.millisecondsRoundedUp }
    }
    return snapshot(renewed(place, sent: sent), isReplay: false)
  }

  /// Puts a lease that is held on a new lease of etcd, perhaps with other words.
  ///
  /// - Returns: What was written, and when that was sent first.
  func rewrite(
    _ lease: LeaseID, on lock: LockName?, within confinement: Confinement?, _ body: (inout QueueEntry) -> Void
  ) throws(LeaseholdError) -> (Place, sent: Int64) {
    let deadline = Self.deadline()
    let name = EtcdLayout.entry(of: lease)
    var seen = try find(lease, on: lock, within: confinement).entries
    let fence = seen[0].created
    for _ in 0..<8 {
      var place = Place(id: lease, entries: seen)
      place.change(body)
      let isChanged = place.entries != seen
      if isChanged { place.change { $0.mark = .random(in: .min ... .max) } }
      let young = try young(for: place.entries[0].ttl, before: deadline)
      let outcome = try commit(
        recipe.renew(seen, as: isChanged ? place.entries : nil, on: young.lease), before: deadline)
      if outcome.isDone {
        return (place.written(at: outcome.revision, isNew: false, lease: young.lease), young.sent)
      }
      let fate = recipe.fate(outcome, of: seen)
      guard let first = fate.entries.first, first.created == fence, !first.isWaiting else {
        state.withLock { $0.held[name] = nil }
        throw over(lease, fate.end ?? StoredEnd(.expired, of: seen[0], at: Self.wall()))
      }
      seen = fate.entries
    }
    throw .busyQueue(EtcdLayout.decoded(seen[0].lock) ?? LockName.unnamed)
  }

  /// Remembers a renewal, and tells those who follow the lease.
  func renewed(_ place: Place, sent: Int64) -> Held {
    let ttl = place.entries[0].ttl * 1_000_000
    let deadline = Self.deadline(sent: sent, ttl: ttl)
    return change { state, notices in
      state.counters.renewed += 1
      guard var held = state.held[place.name] else { return Held(place: place, deadline: deadline) }
      held.place = place
      held.deadline = deadline
      if held.connection != 0 { held.renewsAt = sent + ttl / 3 }
      state.held[place.name] = held
      for client in held.followers {
        notices.append { client.renewed(until: MonotonicInstant(nanoseconds: deadline)) }
      }
      return held
    }
  }

  /// Gives a lease back.
  ///
  /// - Throws: What 410 says of its end, `no-such-lease`, `engine-unavailable`, `outcome-unknown`.
  public func release(
    _ lease: LeaseID, on lock: LockName?, within confinement: Confinement?, at now: MonotonicInstant
  ) throws(LeaseholdError) -> ReleaseOutcome {
    do throws(LeaseholdError) {
      let entries = try end(lease, .released, within: confinement, on: lock)
      return ReleaseOutcome(lease, of: EtcdLayout.decoded(entries[0].lock), already: false)
    } catch {
      guard error.code == .released else { throw error }
      let key = error.facts.first { $0.name == "key" }.flatMap { fact -> LockKey? in
        if case .text(let text) = fact.value { try? LockKey(utf8: text.utf8) } else { nil }
      }
      return ReleaseOutcome(lease, of: key, already: true)
    }
  }

  /// Ends a lease as long as it is what was seen of it.
  ///
  /// - Returns: Its entries as they were.
  func end(
    _ lease: LeaseID, _ reason: EndReason, within confinement: Confinement?, on lock: LockName?
  ) throws(LeaseholdError) -> [QueueEntry] {
    try end(try find(lease, on: lock, within: confinement).entries, reason) { [self] in over(lease, $0) }
  }

  /// Ends what was seen of a lease.
  func end(
    _ entries: [QueueEntry], _ reason: EndReason, by: String? = nil, note: String? = nil,
    over: (StoredEnd?) -> LeaseholdError
  ) throws(LeaseholdError) -> [QueueEntry] {
    let deadline = Self.deadline()
    var seen = entries
    for _ in 0..<8 {
      let end = StoredEnd(reason, of: seen[0], at: Self.wall(), by: by, note: note)
      let tombs: LeasePool.Young
      do throws(EtcdFailure) {
        tombs = try leases.young(for: 600_000_000_000, slack: 60, before: deadline)
      } catch {
        throw .engine(error)
      }
      let outcome = try commit(recipe.delete(seen, end, keepsRetry: true, on: tombs.lease), before: deadline)
      if outcome.isDone {
        ended(seen, reason)
        return seen
      }
      let fate = recipe.fate(outcome, of: seen)
      guard let first = fate.entries.first, first.created == seen[0].created else {
        // An earlier attempt of the same call may have done it.
        if outcome.isRepeat, let found = fate.end, found == end {
          ended(seen, reason)
          return seen
        }
        throw over(fate.end ?? StoredEnd(.expired, of: seen[0], at: Self.wall()))
      }
      seen = fate.entries
    }
    throw .busyQueue(EtcdLayout.decoded(seen[0].lock) ?? LockName.unnamed)
  }

  /// A lease that this server knew is over.
  private func ended(_ entries: [QueueEntry], _ reason: EndReason) {
    change { state, notices in
      let now = HostClock.monotonic()
      for entry in entries { state.ends.note(entry, reason, at: now) }
      Self.end(entries[0].name, reason, at: now, &state, &notices)
    }
  }

  /// Forgets a lease, and tells those who follow it.
  static func end(
    _ name: String, _ reason: EndReason, at now: Int64, _ state: inout EtcdState,
    _ notices: inout [@Sendable () -> Void]
  ) {
    for client in state.held.removeValue(forKey: name)?.followers ?? [] {
      notices.append { client.ended(reason, at: MonotonicInstant(nanoseconds: now)) }
    }
  }

  /// Ends somebody's lease at once.
  ///
  /// - Throws: `not-supported` with a grace, `no-such-lease`, `forbidden`, `engine-unavailable`, `outcome-unknown`.
  public func breakLease(_ request: BreakRequest, at now: MonotonicInstant) throws(LeaseholdError) -> BreakOutcome {
    if request.after > .zero {
      throw .notSupported("A lease on etcd is broken at once.", instead: "after=0")
    }
    let confinement = request.caller.confinement
    let entries: [QueueEntry]
    let ref: String
    switch request.lease {
    case .id(let id): (entries, ref) = (try find(id, on: nil, within: confinement).entries, id.ref)
    case .ref(let number):
      ref = LeaseID(high: number << 24, low: 0).ref
      entries = state.withLock { state in
        let found = state.view.locks.values.lazy.compactMap { queue in
          queue.entries.first { $0.ref == ref && !$0.isWaiting }
        }.first
        return found.map { state.view.entries($0.name) } ?? []
      }
    }
    guard let first = entries.first, let key = EtcdLayout.decoded(first.lock) else { throw .noSuchLease() }
    if request.onlyOf != nil {
      throw .notSupported(
        "A lease on etcd does not know the user that took it.", instead: "a token with the role of an administrator")
    }
    let by = request.caller.inWords
    _ = try end(entries, .broken, by: by, note: request.reason) { end in
      .over(end?.reason ?? .expired, key: key, ref: ref, at: end.map { Self.instant($0.at) })
    }
    return BreakOutcome(request, of: key, ref: ref, owner: first.owner, at: Self.now())
  }

  /// Not to be had here.
  ///
  /// - Throws: `not-supported`.
  public func transfer(_ request: TransferRequest, at now: MonotonicInstant) throws(LeaseholdError) -> LeaseSnapshot {
    throw .notSupported(
      "The fence of a lease on etcd is its place in the queue, so a new holder must queue.",
      instead: "release, and acquire")
  }

  /// Not to be had here.
  public func convert(
    _ request: ConvertRequest, client: () -> any LeaseClient, at now: MonotonicInstant
  ) -> AcquireOutcome {
    .refused(
      .notSupported(
        "A lease on etcd cannot change its mode yet.", instead: "release, and acquire with the other mode"))
  }

  /// Releases all leases of an owner.
  ///
  /// - Throws: `not-supported` where only those of a caller are meant, `engine-unavailable`, `outcome-unknown`.
  public func releaseAll(
    owner: String, key: LockKey?, of caller: Caller?, within confinement: Confinement?, at now: MonotonicInstant
  ) throws(LeaseholdError) -> [String] {
    let lock = key.map { EtcdLayout.encoded($0) }
    let words = caller?.inWords
    let found = state.withLock { state in
      state.view.places.keys.sorted().map { state.view.entries($0) }.filter { entries in
        guard let first = entries.first, !first.isWaiting, first.owner.isExactly(owner) else { return false }
        guard words.map({ first.peer.isExactly($0) }) ?? true else { return false }
        return entries.allSatisfy { entry in
          let name = EtcdLayout.decoded(entry.lock)?.text
          return confinement.map { limits in name.map { limits.covers($0) } ?? false } ?? true
        } && (lock.map { lock in entries.contains { $0.lock == lock } } ?? true)
      }
    }
    var refs: [String] = []
    for entries in found {
      do throws(LeaseholdError) {
        refs.append(try end(entries, .released) { _ in .noSuchLease() }[0].ref)
      } catch {
        // It ended by itself meanwhile.
        if error.code != .noSuchLease { throw error }
      }
    }
    return refs
  }

  /// Removes a lock; with force its leases end first, and its waiters are refused.
  ///
  /// - Throws: `no-such-lock`, `in-use`, `engine-unavailable`, `outcome-unknown`.
  public func remove(
    _ lock: LockName, force: Bool, within confinement: Confinement?, at now: MonotonicInstant
  ) throws(LeaseholdError) {
    try checkPlain(lock)
    let (encoded, deadline) = (EtcdLayout.encoded(lock.key), Self.deadline())
    for _ in 0..<4 {
      let sight = recipe.sight(try commit(recipe.read([encoded], retry: nil), before: deadline), of: [encoded])
      let queue = sight.queues[0]
      guard queue.kind != nil || !queue.entries.isEmpty else { throw .noSuchLock(lock.key) }
      if !queue.entries.isEmpty {
        guard force else {
          let shown = Self.shown(lock.key, queue, listed: 10)
          throw .contended(
            .inUse, shown, "is in use; wait until nobody has or wants it, or give force=true to end its leases")
        }
        // From the back, so that nobody who waits is next meanwhile.
        for entry in queue.entries.reversed() {
          let entries = state.withLock { $0.view.entries(entry.name) }
          _ = try? end(entries.isEmpty ? [entry] : entries, .lockRemoved) { _ in .noSuchLease() }
        }
        continue
      }
      if try commit(recipe.collect(encoded, kindModified: queue.kindModified), before: deadline).isDone { return }
    }
    throw .busyQueue(lock.key)
  }
}

extension LockName {
  /// The stand-in for a name that cannot be read.
  static let unnamed: LockKey = {
    guard let key = try? LockKey(utf8: "?".utf8) else { preconditionFailure("'?' is a name") }
    return key
  }()
}
