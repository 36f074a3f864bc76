internal import EtcdGateway
public import Leasehold
internal import LeaseholdHost
internal import LeaseholdQueue
import Synchronization

// Leases that get another mode, and what an operator does: leases that are ended, locks that are removed or resized.
extension EtcdLockService {
  /// Makes a reader the writer, or a writer a reader; the client hears of it.
  public func convert(
    _ request: ConvertRequest, client: () -> any LeaseClient, at now: MonotonicInstant
  ) -> AcquireOutcome {
    begin(.mode(request), client, at: now)
  }

  /// Changes the mode, by a place in the queue where it needs one.
  func convert(_ request: ConvertRequest, _ call: Call) throws(LeaseholdError) -> AcquireOutcome {
    let found = try find(request.lease, on: request.lock, within: request.caller.confinement)
    let (value, lock) = (found.first.value, found.first.lock)
    let kind = state.withLock { $0.view.queue(lock).kind }
    guard value.isShared || value.units == QueueKind.readerUnits, kind ?? .readersWriter == .readersWriter else {
      throw .notConvertible(request.lock.key)
    }
    guard found.locks.count == 1 else {
      throw .notSupported(
        "A lease on several locks of etcd cannot change its mode.", instead: "release, and acquire with the other mode")
    }
    if let end = value.end { throw .beingBroken(found.first, end) }
    let isShared = value.isShared && found.upgrade == nil
    if request.mode == .exclusive {
      if isShared {
        return try take(
          Upgrade(found.name, of: lock, mark: .random(in: .min ... .max), waits: request.wait > .zero), call)
      }
    } else if !isShared {
      var grant = try change(found, .lower)
      let deadline = grant.deadline == .max ? found.deadline : grant.deadline
      grant.deadline = deadline ?? 0
      return answer(call, remember(grant, of: request.lease), hasDeadline: deadline != nil)
    }
    let held = state.withLock { $0.held[found.name] }
    let grant = Attempt.Grant(found.entries, upgrade: found.upgrade, deadline: found.deadline ?? 0)
    return answer(call, held ?? Held(id: request.lease, grant: grant), hasDeadline: found.deadline != nil)
  }

  /// A lease that has the mode it was to get.
  private func answer(_ call: Call, _ held: Held, hasDeadline: Bool) -> AcquireOutcome {
    let snapshot = state.withLock { $0.calls.removeValue(forKey: call.number) == nil ? nil : $0.snapshot(held) }
    guard let snapshot else { return .waiting(call.number, behind: nil) }
    if !hasDeadline { snapshot.deadline = nil }
    snapshot.isConverted = true
    return .granted(snapshot)
  }

  /// Ends a holder's lease by force, now or after a grace.
  ///
  /// - Throws: `no-such-lease`, what 410 says of its end, `forbidden`, `not-supported` for those of one user,
  ///   `engine-unavailable`, `outcome-unknown`.
  public func breakLease(_ request: BreakRequest, at now: MonotonicInstant) throws(LeaseholdError) -> BreakOutcome {
    let found = try meant(by: request)
    if request.onlyOf != nil {
      throw .notSupported(
        "A lease on etcd does not know the user that took it.", instead: "a token with the role of an administrator")
    }
    let key = EtcdNames.decoded(found.first.lock) ?? LockName.unnamed
    var seen = found
    let deadline = Self.deadline()
    while true {
      var end = EndValue(.broken, of: seen.first)
      (end.by, end.note) = (request.caller.inWords, request.reason ?? seen.first.value.end?.note)
      if request.after > .zero {
        end.grace = min(request.after.millisecondsRoundedUp, try left(of: seen, before: deadline))
      }
      let keepsPlace = end.grace > 0 || seen.first.value.cooldown > 0
      let transaction =
        keepsPlace
        ? Break.later(seen.entries, upgrade: seen.upgrade, end, grace: end.grace) : Break.now(seen.entries, end)
      switch try send(transaction, 0, before: deadline) {
      case .done:
        if end.grace == 0 { ended(seen, end) }
        // An end without a grace is over by the time of the request, however long etcd took to write it.
        let over = MonotonicInstant(wall: end.at) + .milliseconds(end.grace)
        return BreakOutcome(
          request, of: key, ref: seen.first.value.ref, owner: seen.first.value.owner, at: end.grace == 0 ? now : over)
      case .kept(let sight):
        let entries = sight.queues.compactMap { $0.entry(seen.name) }
        guard entries.count == seen.locks.count, entries[0].created == seen.first.created,
          sight.isInTime || !entries[0].value.needsMark
        else {
          let earlier = sight.end ?? entries.first?.value.end ?? seen.first.expiry
          throw .over(earlier, key: key, ref: seen.first.value.ref)
        }
        seen = Found(entries, upgrade: sight.queues[0].boundUpgrade(seen.name))
      case .unknown, .sessionGone: throw .busyQueue(key)
      }
    }
  }

  /// The lease that an operator means.
  private func meant(by request: BreakRequest) throws(LeaseholdError) -> Found {
    switch request.lease {
    case .id(let id): return try find(id, on: nil, within: request.caller.confinement)
    case .ref(let number):
      let ref = LeaseID(high: number << 24, low: 0).ref
      let found = heard { held(ref) }
      guard let found else {
        throw Self.over(state.withLock { $0.ends.latest(ref: ref) }, ref: ref, within: request.caller.confinement)
      }
      if let confinement = request.caller.confinement, !found.locks.allSatisfy({ Self.covers($0, confinement) }) {
        throw confinement.refusal("This reaches a lease on a lock that token '\(confinement.token)' may not use")
      }
      return found
    }
  }

  /// The lease of a ref, as far as this server has heard.
  private func held(_ ref: String) -> Found? {
    state.withLock { state in
      for name in state.view.places.keys {
        guard let found = state.found(name), found.first.value.ref == ref else { continue }
        if !found.first.value.isWaiting, found.isInTime { return found }
      }
      return nil
    }
  }

  /// The milliseconds that a lease has, about; a leader's own word, for nothing but how long a place is kept.
  private func left(of found: Found, before deadline: Int64) throws(LeaseholdError) -> Int64 {
    let seconds = try told(gateway.timeToLive(found.first.lease, before: deadline))?.seconds ?? 0
    return max(0, min(seconds * 1000 - found.first.value.cooldown, found.first.value.ttl + 1000))
  }

  /// Removes a lock; with force its leases end first, and its waiters are refused.
  ///
  /// - Throws: `no-such-lock`, `in-use`, `engine-unavailable`, `outcome-unknown`.
  public func remove(
    _ lock: LockName, force: Bool, within confinement: Confinement?, at now: MonotonicInstant
  ) throws(LeaseholdError) {
    try checkPlain(lock)
    let (encoded, deadline) = (EtcdNames.encoded(lock.key), Self.deadline())
    for _ in 0..<4 {
      let queue = try look([.queue(encoded)], before: deadline).queues[0]
      guard queue.kind != nil || !queue.entries.isEmpty else { throw .noSuchLock(lock.key) }
      if !queue.entries.isEmpty {
        guard force else {
          throw .contended(
            .inUse, state.withLock { $0.shown(lock.key, queue, listed: 10) },
            "is in use; wait until nobody has or wants it, or give force=true to end its leases")
        }
        // From the back, so that nobody who waits is next meanwhile.
        for entry in queue.entries.reversed() where !entry.isUpgrade {
          guard entry.allLocks.allSatisfy({ Self.covers($0, confinement) }) else {
            throw confinement?.refusal("Its holders have locks that token '\(confinement?.token ?? "")' may not use")
              ?? .busyQueue(lock.key)
          }
          let isAlone = entry.allLocks.count == 1
          let all = isAlone ? Sight([queue]) : try look(entry.allLocks.map(QueueLook.queue), before: deadline)
          let others = all.queues.compactMap { $0.entry(entry.name) }
          let found = Found(others.isEmpty ? [entry] : others)
          let end = EndValue(.lockRemoved, of: entry)
          if case .done = try send(Break.now(found.entries, end), 0, before: deadline) { ended(found, end) }
        }
        continue
      }
      if case .done = try send(Upkeep.forget(encoded, kindModified: queue.kindModified), 0, before: deadline) { return }
    }
    throw .busyQueue(lock.key)
  }

  // MARK: Limits

  /// Gives a counting lock another limit, in use or not.
  ///
  /// A smaller one comes into force when what is in use fits; until then nobody gets what comes back.
  ///
  /// - Throws: `kind-mismatch`, `engine-unavailable`, `outcome-unknown`; `not-supported` for names, 0 and pinned ones.
  public func resize(
    _ request: ResizeRequest, for caller: Caller, at now: MonotonicInstant
  ) throws(LeaseholdError) -> OpenedLock {
    if request.names != nil {
      throw .notSupported("Slots on etcd have no names.", instead: "limit=N for slots that are alike")
    }
    if request.isPinned {
      throw .notSupported(
        "On etcd each caller's limit must be the lock's, so none is pinned, and none is 0.",
        instead: "resize=true without pinned=true, and the new limit in your callers")
    }
    let (encoded, deadline) = (EtcdNames.encoded(request.key), Self.deadline())
    var wasMade: Bool?
    for _ in 0..<8 {
      let queue = try look([.queue(encoded)], before: deadline).queues[0]
      let isFree = queue.entries.isEmpty
      if case .readersWriter? = queue.kind, !isFree {
        throw .mismatch(request.key, .readersWriter, .counting(limit: request.limit))
      }
      let shown = state.withLock { $0.shown(request.key, queue, listed: 0) }
      wasMade = wasMade ?? (queue.kind == nil)
      if queue.kind == .counting(limit: request.limit), queue.blockers.isEmpty {
        return OpenedLock(lock: shown, wasMade: wasMade == true, limitApplied: true)
      }
      let isBegun = queue.blockers.contains { $0.value.shrinksTo == request.limit }
      let finish = queue.shrunk
      if isBegun, finish == nil {
        return OpenedLock(lock: shown, wasMade: false, limitApplied: false)
      }
      let name = "shrink-" + String(UInt64.random(in: .min ... .max), radix: 16)
      let transaction =
        isBegun
        ? finish
        : queue.resized(to: request.limit) ?? queue.shrinking(to: request.limit, by: name)
      if let transaction, case .done = try send(transaction, 0, before: deadline), !isBegun {
        state.withLock { $0.counters.resized += 1 }
      }
    }
    throw .busyQueue(request.key)
  }

  /// Writes the smaller capacity of locks that have become small enough, whichever server was asked for it.
  func shrink() {
    let due = state.withLock { state in state.view.shrinking.compactMap { state.view.followed($0).shrunk } }
    for transaction in due { _ = try? store.send(transaction, session: 0, before: Self.deadline()) }
  }
}
