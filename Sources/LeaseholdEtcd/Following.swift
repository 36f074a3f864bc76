internal import EtcdGateway
internal import Leasehold
internal import LeaseholdHost
import Synchronization

// The threads: one follows the cluster, one turns the clock.
extension EtcdLockService {
  private static let second: Int64 = 1_000_000_000

  /// Reads all keys at one revision.
  func look(before deadline: Int64) throws(EtcdFailure) {
    let listing = try gateway.list(EtcdRange(layout.all), before: deadline)
    take { $0.replace(by: listing) }
  }

  /// Follows the cluster until the service stops.
  func follow() {
    var mustLook = false
    while !isStopped.load(ordering: .relaxed) {
      do throws(EtcdFailure) {
        if mustLook { try look(before: Self.deadline()) }
        mustLook = false
        let from = state.withLock { $0.view.revision + 1 }
        let watch = try gateway.watch(layout.all, from: from, before: Self.deadline())
        self.watch.withLock { $0 = watch }
        defer { self.watch.withLock { $0 = nil } }
        tell(fault: nil)
        mustLook = !hear(watch)
      } catch {
        tell(fault: error.reason)
        HostClock.sleep(nanoseconds: Self.second / 5)
      }
    }
  }

  /// Hears a watch to its end; false where what came meanwhile is not to be had.
  private func hear(_ watch: EtcdWatch) -> Bool {
    while !isStopped.load(ordering: .relaxed) {
      switch watch.next(before: HostClock.monotonic() + Self.second) {
      case .changes(let events, _)?: take { $0.apply(events) }
      case .compacted?: return false
      case .ended?: return true
      case .created?, .progress?, nil: continue
      }
    }
    return true
  }

  /// Notes what fails, or that it works again.
  private func tell(fault: String?) {
    let isNews = state.withLock { state in
      defer { state.fault = fault }
      return (state.fault == nil) != (fault == nil)
    }
    if isNews { configuration.onFault(fault) }
  }

  /// Takes in what was seen, and tells who wants to know.
  private func take(_ body: (inout ClusterView) -> [ClusterView.Change]) {
    let locks = change { state, notices in
      let changes = body(&state.view)
      let now = HostClock.monotonic()
      var locks: Set<String> = []
      for change in changes {
        locks.insert(change.lock)
        Self.note(change, at: now, &state, &notices)
      }
      for lock in locks {
        for watcher in state.watches.take(lock) { notices.append { watcher.lockChanged() } }
      }
      return locks.sorted()
    }
    judge(locks)
  }

  private static func note(
    _ change: ClusterView.Change, at now: Int64, _ state: inout EtcdState, _ notices: inout [@Sendable () -> Void]
  ) {
    switch change {
    case .kind: break
    case .put(let entry, let before):
      if entry.isWaiting {
        if before == nil { state.log.append(event(.waiting, entry, at: now)) }
      } else if before.map(\.isWaiting) ?? true {
        state.log.append(event(.granted, entry, at: now))
      } else {
        state.log.append(event(.renewed, entry, at: now))
      }
    case .removed(let entry, let end, _):
      let reason = end?.reason ?? .expired
      if entry.isWaiting {
        state.log.append(event(.left, entry, at: now))
      } else {
        state.ends.note(entry, reason, at: now)
        state.counters.ended[Int(reason.rawValue)] += 1
        var event = event(EventKind(reason), entry, at: now)
        event.reason = reason.name
        if reason == .broken, let end { event.breaking = BreakNote(reason: end.note, by: end.by) }
        state.log.append(event)
        Self.end(entry.name, reason, at: now, &state, &notices)
      }
    }
  }

  private static func event(_ kind: EventKind, _ entry: QueueEntry, at now: Int64) -> LedgerEvent {
    LedgerEvent(
      kind, EtcdLayout.decoded(entry.lock)?.text ?? entry.lock, mode: entry.mode, count: Int32(clamping: entry.count),
      at: now, ref: entry.isWaiting ? 0 : entry.refNumber, fence: entry.isWaiting ? 0 : entry.created,
      text: entry.owner)
  }

  // MARK: The session

  /// Makes a session, and says who it is of.
  func openSession(before deadline: Int64) throws(EtcdFailure) {
    let sent = HostClock.monotonic()
    let lease = try gateway.grantLease(seconds: 5, before: deadline)
    let key = layout.server(String(UInt64(bitPattern: lease), radix: 16))
    let put = EtcdOperation.put(key, value: Array(configuration.server.utf8), lease: lease)
    _ = try gateway.commit(EtcdTransaction(if: [], then: [put]), before: deadline)
    state.withLock { $0.session = Session(lease: lease, sent: sent) }
  }

  /// The lease that waiters hang on.
  func currentSession() throws(EtcdFailure) -> Int64 {
    if let session = state.withLock({ $0.session }) { return session.lease }
    try openSession(before: Self.deadline())
    guard let session = state.withLock({ $0.session }) else { throw .unavailable("there is no session") }
    return session.lease
  }

  /// All waiters have lost their places, as far as this server knows.
  func loseSession() {
    change { state, notices in
      state.session = nil
      for waiter in state.waiters.values where !waiter.isBinding {
        _ = Self.remove(waiter.attempt.number, from: &state)
        notices.append { [self] in refuse(waiter.attempt, .placeLost()) }
      }
    }
  }

  private func keepSession() {
    guard let session = state.withLock({ $0.session }) else {
      try? openSession(before: Self.deadline())
      return
    }
    let sent = HostClock.monotonic()
    do throws(EtcdFailure) {
      guard try gateway.keepAlive(session.lease, before: sent + 2 * Self.second) != nil else { return loseSession() }
      state.withLock { if $0.session?.lease == session.lease { $0.session?.sent = sent } }
    } catch {
      if HostClock.monotonic() > session.sent + 5 * Self.second { loseSession() }
    }
  }

  // MARK: The clock

  /// Turns until the service stops: waits that are over, leases that ran out, and what is done every now and then.
  func runClock() {
    var next = (keep: Int64(0), look: Int64(0), reconcile: Int64(0), refresh: Int64(0), collect: Int64(0))
    while !isStopped.load(ordering: .relaxed) {
      let now = HostClock.monotonic()
      turned.store(now, ordering: .relaxed)
      let due = expire(at: now)
      if now >= next.keep, run({ [self] in keepSession() }) { next.keep = now + 3 * Self.second / 2 }
      if now >= next.look, run({ [self] in lookAtQueues() }) { next.look = now + Self.second }
      if now >= next.reconcile, run({ [self] in reconcile() }) { next.reconcile = now + 2 * Self.second }
      if now >= next.refresh, run({ [self] in leases.refresh(before: Self.deadline()) }) {
        next.refresh = now + Self.second / 5
      }
      if now >= next.collect, run({ [self] in collect() }) { next.collect = now + 10 * Self.second }
      alarm.sleep(until: min(due, now + Self.second / 5))
    }
  }

  /// Ends waits and leases whose time is over; tells when the next one is.
  private func expire(at now: Int64) -> Int64 {
    var next = Int64.max
    change { state, notices in
      for waiter in state.waiters.values where !waiter.isBinding {
        let isHeard = state.attempts[waiter.attempt.number] != nil
        if isHeard, waiter.attempt.until > now {
          next = min(next, waiter.attempt.until)
          continue
        }
        guard let waiter = Self.remove(waiter.attempt.number, from: &state) else { continue }
        let shown = Self.shown(waiter.attempt.request.key, state.view.queue(waiter.place.locks[0]), listed: 10)
        notices.append { [self] in
          refuse(waiter.attempt, Self.timedOut(shown, waiter.attempt.request.wait))
          takeBack(waiter.place, .undelivered)
        }
      }
      for (name, held) in state.held {
        if held.deadline <= now {
          Self.end(name, .expired, at: now, &state, &notices)
        } else if held.renewsAt <= now {
          state.held[name]?.renewsAt = now + Self.second
          let id = held.place.id
          notices.append { [self] in
            run { [self] in _ = try? renew(id, on: nil, ttl: nil, within: nil, at: Self.now()) }
          }
        }
        next = min(next, held.deadline, held.renewsAt)
      }
    }
    return next
  }

  private static func timedOut(_ shown: LockSnapshot, _ wait: TimeSpan) -> LeaseholdError {
    .contended(
      .waitTimeout, shown,
      "was not to be had within \(wait.milliseconds) ms: it \(shown.holderCount > 0 ? "is held" : "is queued for"); "
        + "ask again to queue anew")
  }

  /// Reads the queues that somebody waits in here: a watch may be silent for ever.
  private func lookAtQueues() {
    let locks = state.withLock { $0.waitersByLock.keys.sorted() }
    for start in stride(from: 0, to: locks.count, by: 32) {
      let some = Array(locks[start..<min(start + 32, locks.count)])
      guard let outcome = try? gateway.commit(recipe.read(some, retry: nil), before: Self.deadline()) else { return }
      let sight = recipe.sight(outcome, of: some)
      note(sight, of: some)
      let isBehind = { [self] in
        state.withLock { state in
          zip(some, sight.queues).contains { lock, queue in
            let followed = state.view.followed(lock)
            return followed.revision < queue.revision && followed.entries != queue.entries
          }
        }
      }
      guard isBehind() else { continue }
      // A watch that is well tells the same within a moment; one that is not is asked of another endpoint.
      HostClock.sleep(nanoseconds: Self.second / 2)
      if isBehind() { watch.withLock { $0?.cancel() } }
    }
  }

  /// Forgets the kinds of locks that nobody has used for a while.
  private func collect() {
    let now = HostClock.monotonic()
    let span = configuration.limits.idleLocks.nanoseconds
    let due = state.withLock { state in
      var due: [(String, Int64)] = []
      var idle: [String: Int64] = [:]
      for (lock, queue) in state.view.locks where queue.entries.isEmpty && queue.kind != nil {
        let since = state.idleSince[lock] ?? now
        if since + span <= now { due.append((lock, queue.kindModified)) } else { idle[lock] = since }
      }
      state.idleSince = idle
      return due
    }
    for (lock, kindModified) in due {
      _ = try? gateway.commit(recipe.collect(lock, kindModified: kindModified), before: Self.deadline())
    }
  }

  /// Settles what is unknown, and deletes entries on this session that nobody here waits with.
  private func reconcile() {
    let unsettled = state.withLock { state in
      defer { state.unsettled = [] }
      return state.unsettled
    }
    for place in unsettled where !settle(place) { state.withLock { $0.unsettled.append(place) } }
    guard let session = state.withLock({ $0.session }) else { return }
    guard let found = try? gateway.timeToLive(session.lease, before: Self.deadline()) else { return }
    for key in found.keys {
      guard case .entry(let lock, let name) = layout.name(of: key) else { continue }
      let isKnown = state.withLock { state in
        state.sending.contains(name) || state.waiters.values.contains { $0.place.name == name }
      }
      if isKnown { continue }
      let asked = [QueueEntry(lock: lock, name: name, units: 0)]
      guard let outcome = try? gateway.commit(recipe.read(fateOf: asked), before: Self.deadline()),
        let entry = recipe.fate(outcome, of: asked).entries.first, entry.session == session.lease
      else { continue }
      let others = entry.allLocks.filter { $0 != lock }.map { QueueEntry(lock: $0, name: name, units: 0) }
      let all = [asked[0]] + others
      guard let whole = try? gateway.commit(recipe.read(fateOf: all), before: Self.deadline()) else { continue }
      let entries = recipe.fate(whole, of: all).entries
      if let first = entries.first, first.session == session.lease {
        takeBack(Place(id: LeaseID(high: 0, low: 0), entries: entries), .undelivered)
      }
    }
  }
}
