internal import EtcdGateway
internal import Leasehold
internal import LeaseholdHost
internal import LeaseholdQueue
import Synchronization

// The thread that turns the clock: waits that are over, leases that ran out, and chores.
extension EtcdLockService {
  // MARK: The session

  /// Makes a session, and says who it is of.
  @discardableResult
  func openSession(before deadline: Int64) throws(EtcdFailure) -> Int64 {
    let sent = HostClock.monotonic()
    let lease = try gateway.grantLease(seconds: 5, before: deadline)
    try writeSession(lease, before: deadline)
    state.withLock { $0.session = Session(lease: lease, sent: sent) }
    return lease
  }

  /// Says who a session is of.
  private func writeSession(_ lease: Int64, before deadline: Int64) throws(EtcdFailure) {
    let key = "\(store.names.prefix)s/\(String(UInt64(bitPattern: lease), radix: 16))"
    let put = EtcdOperation.put(key, value: Array(configuration.server.utf8), lease: lease)
    _ = try gateway.commit(EtcdTransaction(if: [], then: [put]), before: deadline)
  }

  /// All waiters have lost their places, as far as this server knows.
  func loseSession(_ lease: Int64) {
    change { state in
      guard state.session?.lease == lease else { return }
      state.session = nil
      for waiter in state.waiters.values where !waiter.isBinding {
        _ = state.removeWaiter(waiter.call.number)
        // Where the session lives on, what waits on it would block the lock until it ends.
        state.notices.append { [self] in
          refuse(waiter.call, .placeLost())
          giveUp(waiter)
        }
      }
    }
  }

  private func keepSession() {
    let (session, sent) = (state.withLock { $0.session }, HostClock.monotonic())
    do throws(EtcdFailure) {
      guard let session else {
        try openSession(before: Self.deadline())
        return tell(.session, fault: nil)
      }
      guard try gateway.keepAlive(session.lease, before: sent + 2 * Self.second) != nil else {
        // A member that was cut off says that of what lives, too: a write tells.
        do throws(EtcdFailure) {
          try writeSession(session.lease, before: sent + 2 * Self.second)
        } catch .refused(.leaseGone, _) {
          loseSession(session.lease)
        }
        return
      }
      state.withLock { if $0.session?.lease == session.lease { $0.session?.sent = sent } }
      tell(.session, fault: nil)
    } catch {
      if let session {
        guard HostClock.monotonic() > session.sent + 5 * Self.second else { return }
        loseSession(session.lease)
      }
      // A watch says nothing of a member that has lost the others: it stays open.
      tell(.session, fault: error.reason)
    }
  }

  // MARK: The clock

  /// Turns until the service stops: waits that are over, leases that ran out, and what is done every now and then.
  func runClock() {
    let chores = chores
    var next = [Int64](repeating: 0, count: chores.count)
    while !isStopped.load(ordering: .relaxed) {
      let now = HostClock.monotonic()
      turned.store(now, ordering: .relaxed)
      if state.withLock({ $0.pace.isSilent(seen: $0.view.revision, at: now) }) { watch.withLock { $0?.cancel() } }
      let due = expire(at: now)
      for (index, chore) in chores.enumerated() where now >= next[index] && begin(index, chore.work) {
        next[index] = now + chore.pause
      }
      alarm.sleep(until: min(due, now + Self.turn))
    }
  }

  /// The things that are done every now and then: nanoseconds from one beginning to the next, and the work.
  private var chores: [(pause: Int64, work: @Sendable () -> Void)] {
    [
      (1_500_000_000, { [self] in keepSession() }),
      (1_000_000_000, { [self] in lookAtQueues() }),
      (1_000_000_000, { [self] in shrink() }),
      (2_000_000_000, { [self] in reconcile() }),
      (200_000_000, { [self] in store.leases.refresh(before: Self.deadline()) }),
      (10_000_000_000, { [self] in collect() }),
      (60_000_000_000, { [self] in identify() }),
      (2_000_000_000, { [self] in gateway.preferLeader(before: Self.deadline()) }),
      (5_000_000_000, { [self] in proveRights() }),
    ]
  }

  /// Begins a chore on a thread of its own; false while it is still being done, or where there is no thread.
  private func begin(_ chore: Int, _ work: @escaping @Sendable () -> Void) -> Bool {
    guard state.withLock({ $0.chores.insert(chore).inserted }) else { return false }
    let isBegun = run { [self] in
      work()
      _ = state.withLock { $0.chores.remove(chore) }
    }
    if !isBegun { _ = state.withLock { $0.chores.remove(chore) } }
    return isBegun
  }

  /// Ends waits and leases whose time is over; tells when the next one is.
  private func expire(at now: Int64) -> Int64 {
    var next = Int64.max
    change { state in
      for waiter in state.waiters.values where !waiter.isBinding {
        let isHeard = state.calls[waiter.call.number] != nil
        if isHeard, waiter.call.until > now {
          next = min(next, waiter.call.until)
          continue
        }
        guard let waiter = state.removeWaiter(waiter.call.number) else { continue }
        let queues = waiter.place.locks.map { state.view.queue($0).withoutWaiter(waiter.place.name) }
        state.notices.append { [self] in
          refuse(waiter.call, timedOut(waiter.call, queues))
          giveUp(waiter)
        }
      }
      for (name, held) in state.held {
        if held.deadline <= now {
          let note = held.grant.entries[0].value.end?.breakNote
          state.end(name, note == nil ? .expired : .broken, note, at: MonotonicInstant(nanoseconds: now))
        } else if held.renewsAt <= now {
          state.held[name]?.renewsAt = now + Self.second
          let id = held.id
          state.notices.append { [self] in
            run { [self] in _ = try? renew(id, on: nil, ttl: nil, within: nil, at: Self.now()) }
          }
        }
        next = min(next, held.deadline, held.renewsAt)
      }
    }
    return next
  }

  private func timedOut(_ call: Call, _ queues: [LockQueue]) -> LeaseholdError {
    guard call.wait > .zero else { return busy(call, queues, .locked) }
    let shown = state.withLock { $0.shown(call.keys[0], queues[0], listed: 10) }
    let why = shown.holderCount > 0 ? "is held" : "is queued for"
    return .contended(
      .waitTimeout, shown,
      "was not to be had within \(call.wait.milliseconds) ms: it \(why); ask again to queue anew")
  }

  /// Reads the queues that have waiters here: a watch may be silent for ever.
  private func lookAtQueues() {
    let locks = state.withLock { $0.waitersByLock.keys.sorted() }
    for start in stride(from: 0, to: locks.count, by: 32) {
      let some = Array(locks[start..<min(start + 32, locks.count)])
      guard let sight = try? store.look(some.map(QueueLook.queue), before: Self.deadline()) else { return }
      note(sight)
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

  /// Looks whether this server may still write: without rights a watch goes on that was open, and so does a session.
  private func proveRights() {
    do throws(EtcdFailure) {
      _ = try store.lookForCertain([], by: .end(""), before: Self.deadline())
      tell(.rights, fault: nil)
    } catch .refused(.denied, let reason) {
      tell(.rights, fault: reason)
    } catch {
      // The others tell whether etcd can be reached.
    }
  }

  /// Asks the members for their versions.
  private func identify() {
    let found = gateway.versions(before: Self.deadline())
    if !found.isEmpty { state.withLock { $0.cluster.versions = Set(found).sorted() } }
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
      _ = try? store.send(Upkeep.forget(lock, kindModified: kindModified), session: 0, before: Self.deadline())
    }
  }

  /// Takes back what could not be taken back, and deletes entries on this session that are in nobody's hands.
  private func reconcile() {
    let leftovers = state.withLock { state in
      defer { state.leftovers = [] }
      return state.leftovers
    }
    for place in leftovers { takeBack(place) }
    guard let session = state.withLock({ $0.session?.lease }) else { return }
    guard let found = try? gateway.timeToLive(session, before: Self.deadline()) else { return }
    // Asked after the list: what came meanwhile is in hands.
    let known = state.withLock { state in
      Set(state.sending.keys).union(state.waiters.values.map(\.place.name))
    }
    var locks: Set<String> = []
    for key in found.keys {
      switch store.names.key(key) {
      case .entry(let lock, let name)?, .upgrade(let lock, let name)?: if !known.contains(name) { locks.insert(lock) }
      default: continue
      }
    }
    for lock in locks.sorted() {
      guard var sight = try? store.look([.queue(lock)], before: Self.deadline()) else { return }
      let orphans = sight.queues[0].entries.filter { $0.lease == session }
      let others = Set(orphans.flatMap(\.allLocks)).subtracting([lock])
      if !others.isEmpty {
        let all = ([lock] + others.sorted().prefix(Limits.wants - 1)).map(QueueLook.queue)
        guard let whole = try? store.look(all, before: Self.deadline()) else { return }
        sight = whole
      }
      let deletes = Upkeep.reconcile(sight.queues.flatMap(\.entries), session: session, known: known)
      for orphan in deletes { _ = try? store.send(orphan, session: session, before: Self.deadline()) }
    }
  }
}
