// Several locks on one lease: all of them or none.
//
// The lease is a head record, the first lock's, and a part record for each other lock, with the head's fence. What lies
// in one set is taken in one semop; sets come in the order of their identifiers, and what was taken is given back when
// a later one is not free. All of that is one call of the ledger, so among leases it is one step; native programs may
// see a set taken for the microseconds until it is given back.

/// The wishes of a request for one lock: all that it names of it together.
struct Wanted {
  let lock: Lock
  /// Which of the wants; the first names the place in the queue.
  var wants: [Int]
  var share: Share
}

extension Ledger {
  /// Takes several locks at once or none, or queues for all of them while holding nothing.
  ///
  /// - Parameter wants: One for each lock, 1...``Limits/wants``; the first carries the deadline, the binding, the
  ///   owner, the Idempotency-Key, the wait and the caller of all.
  func acquire(
    several wants: [AcquireRequest], client: () -> any LeaseClient, at moment: Moment
  ) -> AcquireOutcome {
    guard state == .ready else { return refuse(Self.notServing(state)) }
    let request = wants[0]
    let fingerprint = Self.fingerprint(of: wants)
    defer { serveUnserved(at: moment) }
    if request.idempotencyKey != nil,
      let known = replay(request, fingerprint: fingerprint, client: client, at: moment)
    {
      return known
    }
    do throws(LeaseholdError) {
      for _ in 0..<16 {
        let wanted = try find(wants, at: moment)
        var blocker = lockInTheWay(of: wanted)
        var patience = TimeSpan.zero
        if blocker == nil {
          switch try takeAll(wanted, wants, request.caller, fingerprint, waited: .zero, at: moment) {
          case .granted(let lease): return .granted(snapshot(lease))
          case .not(.refused(let error), _): throw error
          case .not(.removed, let lock):
            setVanished(lock, at: moment)
            continue
          case .not(.retrySoon, let lock): (patience, blocker) = (Self.patienceForRetry, lock)
          case .not(.busy, let lock), .not(.full, let lock): blocker = lock
          }
        }
        patience = max(patience, request.wait)
        guard patience > .zero else {
          observers.counters.busy += 1
          return .refused(blocker.map { locked($0, at: moment.monotonic) } ?? LeaseholdError.noSuchLease())
        }
        return try enqueue(wanted, wants, fingerprint, for: patience, client: client(), at: moment)
      }
      throw Self.setKeepsVanishing(request.key, at: moment)
    } catch {
      return refuse(error)
    }
  }

  static func fingerprint(of wants: [AcquireRequest]) -> UInt64 {
    var hash = RequestHash()
    for request in wants { hash.mix(request.fingerprint) }
    return hash.fingerprint(of: wants[0].caller)
  }

  /// The locks, made where there are none; refuses what would wait for itself.
  func find(_ wants: [AcquireRequest], at moment: Moment) throws(LeaseholdError) -> [Wanted] {
    // Making the last lock may show that the set of the first is gone, and then it is another lock by now.
    for _ in 0..<16 {
      let wanted = try lookUp(wants, at: moment)
      for native in wanted.compactMap(\.lock.place.native) where native.hasLeases { notice(native, at: moment) }
      if wanted.allSatisfy({ lockTable.knows($0.lock) }) { return wanted }
    }
    throw Self.setKeepsVanishing(wants[0].key, at: moment)
  }

  /// The first lock that is not to be had, or that others wait for already.
  func lockInTheWay(of wanted: [Wanted]) -> Lock? {
    wanted.first { !$0.lock.queue.isEmpty || !$0.lock.hasRoom(for: $0.share) }?.lock
  }

  private func lookUp(_ wants: [AcquireRequest], at moment: Moment) throws(LeaseholdError) -> [Wanted] {
    var wanted: [Wanted] = []
    for (index, request) in wants.enumerated() {
      // An idle lock becomes of the kind that is asked for: of two kinds each would undo the other.
      if let other = wants[..<index].first(where: { $0.limit != request.limit && $0.key.means(request.key) }) {
        throw .sameLockTwice(other.key, request.key, "with different limits")
      }
      let lock = try findOrMakeLock(request, at: moment)
      guard !lock.isDamaged else { throw Self.damaged(lock) }
      let share = lock.share(of: request)
      guard let known = wanted.firstIndex(where: { $0.lock === lock }) else {
        wanted.append(Wanted(lock: lock, wants: [index], share: share))
        continue
      }
      let before = wants[wanted[known].wants[0]]
      if lock.kind == .readersWriter, share.mode == .exclusive || wanted[known].share.mode == .exclusive {
        throw .sameLockTwice(before.key, request.key, "not only to read, so it would wait for itself")
      }
      if wanted[known].share.slots & share.slots != 0 {
        throw .sameLockTwice(before.key, request.key, "the same slot of it twice")
      }
      wanted[known].wants.append(index)
      wanted[known].share.units += share.units
      wanted[known].share.slots |= share.slots
      if lock.kind != .readersWriter, let unitsMax = lock.unitsMax(for: request.limit),
        wanted[known].share.units > unitsMax
      {
        throw .sameLockTwice(before.key, request.key, "\(wanted[known].share.units) of its \(unitsMax) slots")
      }
    }
    return wanted
  }

  /// Lets a request wait for its lock, or for several of which it holds none meanwhile.
  func enqueue(
    _ wanted: [Wanted], _ wants: [AcquireRequest], _ fingerprint: UInt64, for patience: TimeSpan,
    client: any LeaseClient, at moment: Moment
  ) throws(LeaseholdError) -> AcquireOutcome {
    for lock in wanted.map(\.lock) {
      let before = lock.queue.count - older(than: wants[0], on: [lock]).count
      if wants.count == 1, let waitersMax = wants[0].maxWaiters,
        before + lockTable.nativeWaiters(of: lock) >= waitersMax
      {
        throw queueFull(lock, "max_waiters", waitersMax, at: moment.monotonic)
      }
      guard before < limits.waitersPerLock else {
        throw queueFull(lock, "max-waiters-per-lock", limits.waitersPerLock, at: moment.monotonic)
      }
    }
    try checkRoomToWait(wants[0].caller, without: older(than: wants[0], on: wanted.map(\.lock)))
    var seats: [Waiter] = []
    for one in wanted {
      var request = wants[one.wants[0]]
      request.owner = wants[0].owner
      if seats.isEmpty {
        (request.idempotencyKey, request.holding) = (wants[0].idempotencyKey, wants[0].holding)
      }
      let seat = Waiter(
        id: queues.nextID(), request: request, share: one.share, lock: one.lock, client: client, now: moment.monotonic)
      seat.due = (moment.monotonic + patience).nanoseconds
      seats.append(seat)
    }
    if wants.count > 1 { _ = WaiterGroup(seats: seats, wants: wants, fingerprint: fingerprint) }
    return try enter(seats, at: moment)
  }

  /// A request for several locks may be next: true when it left its queues.
  func serve(_ group: WaiterGroup, at moment: Moment) -> Bool {
    let lead = group.seats[0]
    guard state == .ready, queues.has(lead) else { return false }
    // Some of its places are on the way to another set; it is served when all are there.
    guard group.seats.allSatisfy({ seat in seat.lock.map { lockTable.knows($0) } == true }) else {
      return false
    }
    guard !lead.isDetached, group.seats.allSatisfy({ $0.lock?.queue.first === $0 }) else {
      watch(nil, for: group)
      return false
    }
    let full = group.seats.first { $0.lock?.hasRoom(for: $0.share) == false || $0.lock?.isDamaged == true }
    if let full {
      watch(full.lock, for: group)
      return false
    }
    do throws(LeaseholdError) {
      // The queues may have moved to locks of new sets, and one lock may have become two: what counts is found anew.
      let wanted = try find(group.wants, at: moment)
      // The search for the locks may have found a set gone, and that may have served this very request.
      guard queues.has(lead) else { return true }
      guard group.seats.allSatisfy({ $0.lock?.queue.first === $0 }) else { return false }
      guard wanted.count == group.seats.count, zip(wanted, group.seats).allSatisfy({ $0.lock === $1.lock }) else {
        throw Self.setRemoved(lead.request.key, at: moment)
      }
      let waited = moment.monotonic - lead.since
      switch try takeAll(wanted, group.wants, lead.caller, group.fingerprint, waited: waited, at: moment) {
      case .granted(let lease):
        granted(lease, to: lead)
        return true
      case .not(.refused(let error), _): throw error
      case .not(.removed, let lock): setVanished(lock, at: moment)
      case .not(.retrySoon, let lock):
        watch(nil, for: group)
        queues.poll(lock)
      case .not(.busy, let lock), .not(.full, let lock): watch(lock, for: group)
      }
      return false
    } catch {
      // The search for the locks may have sent it away already.
      if queues.has(lead) { dismiss(lead, error) }
      return true
    }
  }

  /// Lets a thread watch the lock that is in the way of a group, and no other.
  private func watch(_ lock: Lock?, for group: WaiterGroup) {
    group.blockedOn = lock
    for seat in group.seats {
      if let lock = seat.lock { followHead(lock) }
    }
  }
}
