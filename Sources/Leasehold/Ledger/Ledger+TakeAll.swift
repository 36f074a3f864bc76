import SysVTypes

/// How an attempt to take several locks went; nothing is taken unless all are.
enum TakeAllOutcome {
  case taken(Lease)
  /// This one is not free.
  case busy(Lock)
  /// This one is perhaps free.
  case unsettled(Lock)
  /// The set of this one is gone.
  case removed(Lock)
}

extension Ledger {
  /// Takes what is wanted, all or nothing, and makes the lease.
  func takeAll(
    _ wanted: [Wanted], _ wants: [AcquireRequest], _ caller: Caller, _ fingerprint: UInt64, waited: TimeSpan,
    at moment: Moment
  ) throws(LeaseholdError) -> TakeAllOutcome {
    var prepared: [PreparedLease] = []
    let locks = wants.indices.map { index in wanted.first { $0.wants.contains(index) }?.lock ?? wanted[0].lock }
    do throws(LeaseholdError) {
      for (index, request) in wants.enumerated() {
        let lock = locks[index]
        var request = request
        request.caller = caller
        prepared.append(
          try prepare(
            request, lock: lock, share: lock.share(request.mode, count: request.count), caller: caller, waited: waited,
            fingerprint: index > 0 ? UInt64(index) : request.idempotencyKey == nil ? nil : fingerprint,
            partOf: prepared.first?.record, at: moment))
      }
    } catch {
      for one in prepared { discard(one) }
      throw error
    }
    let order = wanted.indices.sorted { wanted[$0].lock.set.set < wanted[$1].lock.set.set }
    var taken: [Int] = []
    var applied: [ObjectIdentifier: Bool] = [:]
    var next = 0
    while next < order.count {
      let set = wanted[order[next]].lock.set.set
      let together = order[next...].prefix { wanted[$0].lock.set.set == set }
      next += together.count
      let outcome = take(together.map { wanted[$0] }, wants, prepared, &applied)
      if outcome == nil {
        taken += together
        continue
      }
      for index in taken.reversed() { untake(wanted[index]) }
      unmark(prepared)
      for one in prepared { discard(one) }
      switch outcome {
      case .busy(let lock)?: return .busy(lock)
      case .unsettled(let lock)?: return .unsettled(lock)
      case .removed(let lock)?: return .removed(lock)
      case .refused(let error)?: throw error
      case nil: break
      }
    }
    return try keepAll(prepared, locks, wants, wanted, applied, caller)
  }

  private enum Obstacle {
    case busy(Lock)
    case unsettled(Lock)
    case removed(Lock)
    case refused(LeaseholdError)
  }

  /// Takes what lies in one set, as one step; `nil` when it is done.
  private func take(
    _ wanted: [Wanted], _ wants: [AcquireRequest], _ prepared: [PreparedLease],
    _ applied: inout [ObjectIdentifier: Bool]
  ) -> Obstacle? {
    let lock = wanted[0].lock
    if wanted.count == 1 {
      let records = wanted[0].wants.map { prepared[$0] }
      let request = wants[wanted[0].wants[0]]
      let outcome =
        lock.place.isOwn
        ? take(wanted[0].share, of: lock, for: request, records[0])
        : takeNatively(wanted[0].share, of: lock, for: request, records)
      switch outcome {
      case .taken(let limitApplied):
        if let limitApplied { applied[ObjectIdentifier(lock)] = limitApplied }
        return nil
      case .busy: return .busy(lock)
      case .full(let error): return wants[0].wait > .zero ? .unsettled(lock) : .refused(error)
      case .unsettled: return .unsettled(lock)
      case .removed: return .removed(lock)
      case .refused(let error) where error.code == .countExceedsLimit && wanted[0].wants.count > 1:
        // No single want is too large: what is put into force, and so the limit, is known only now.
        let keys = wanted[0].wants.map { wants[$0].key }
        return .refused(Self.sameLockTwice(keys[0], keys[1], "more of its slots than its limit"))
      case .refused(let error): return .refused(error)
      }
    }
    var operations: [SemaphoreOperation] = []
    for one in wanted {
      if !one.lock.place.isOwn, !one.lock.isWithinLimit(one.share.units) { return .busy(one.lock) }
      if one.lock.place.sharesCount {
        switch readCounts(of: one.lock) {
        case .failure: return .removed(one.lock)
        case .success(let values):
          if let full = full(one.lock, for: one.share, values) {
            return wants[0].wait > .zero ? .unsettled(one.lock) : .refused(full)
          }
          mark(one.wants.map { prepared[$0] }, taking: one.share, of: one.lock, values)
        }
      }
      let list = one.lock.place.take(one.share)
      operations += (0..<list.count).map { list[$0] }
    }
    switch kernel.operate(lock.set.set, list: operations) {
    case .done: return nil
    case .removed: return .removed(lock)
    case .failed(let failure): return .refused(Self.kernelRefused(failure, doing: "take the locks"))
    case .wouldBlock:
      // Which one is in the way: by looking, which takes nothing.
      let blocker = wanted.first {
        kernel.operate(lock.set.set, $0.lock.place.dialect.probe($0.share, waits: false)) == .wouldBlock
      }
      return blocker.map { .busy($0.lock) } ?? .unsettled(lock)
    }
  }

  /// Gives back what was taken for a lease that does not come to be.
  private func untake(_ wanted: Wanted) {
    let dialect = wanted.lock.place.dialect
    let outcome = giveBack(
      wanted.lock.place.countsLeasedUnits ? dialect.giveBack(wanted.share) : dialect.wait(for: wanted.share).drop,
      to: wanted.lock.set.set, of: wanted.lock)
    if outcome != .done, outcome != .removed { counters.undoFailures += 1 }
  }

  /// Makes permanent what was taken, and commits the lease: the parts first, the head last.
  private func keepAll(
    _ prepared: [PreparedLease], _ locks: [Lock], _ wants: [AcquireRequest], _ wanted: [Wanted],
    _ applied: [ObjectIdentifier: Bool], _ caller: Caller
  ) throws(LeaseholdError) -> TakeAllOutcome {
    for index in prepared.indices.reversed() {
      let outcome = keep(prepared[index], on: locks[index])
      if outcome == .done {
        if index > 0 {
          storage.commit(CommitWord(.live, .lease, check: prepared[index].body.check), at: prepared[index].cell)
        }
        continue
      }
      // Its set went just now, say, and its record with it. What was made permanent goes back, and the rest.
      for other in prepared.indices where other != index {
        let (record, dialect) = (prepared[other].record, locks[other].place.dialect)
        let share = Share(record.mode, units: record.units)
        let isKept = other > index || locks[other].place.countsLeasedUnits
        if isKept, locks[other].place.marksMoves {
          markEnd(prepared[other].cell, .undelivered, giving: share, of: locks[other])
        } else {
          storage.commit(.free, at: prepared[other].cell)
        }
        _ = giveBack(
          isKept ? dialect.giveBack(share) : dialect.wait(for: share).drop, to: locks[other].set.set, of: locks[other])
        storage.commit(.free, at: prepared[other].cell)
        discard(prepared[other])
      }
      if case .failed(let failure) = outcome { throw Self.kernelRefused(failure, doing: "take the lock") }
      return outcome == .removed ? .removed(locks[index]) : .unsettled(locks[index])
    }
    let head = commit(prepared[0], for: wants[0], on: locks[0], caller: caller)
    head.limitApplied = applied[ObjectIdentifier(locks[0])]
    for index in prepared.indices.dropFirst() {
      let part = Lease(prepared[index].record, cell: prepared[index].cell, lock: locks[index], key: wants[index].key)
      part.limitApplied = applied[ObjectIdentifier(locks[index])]
      adopt(part, of: head, on: locks[index])
    }
    // The head's grant was noted before it had parts.
    noteParts(.granted, of: head, nil, at: head.grantedAt.nanoseconds)
    return .taken(head)
  }

  /// Makes a lease a part of another.
  func adopt(_ part: Lease, of head: Lease, on lock: Lock) {
    if case .whole(let parts) = head.kind {
      parts.leases.append(part)
    } else {
      let parts = Lease.Parts(fence: part.fence)
      parts.leases = [part]
      head.kind = .whole(parts)
    }
    part.kind = .part(of: head)
    part.state = head.state
    attach(part, to: lock)
    leasesByCell[part.cell] = part
  }

  // MARK: The end

  /// Ends a lease of several locks and hands its units on.
  ///
  /// - Parameter isKept: Whether what it has of some semaphores is not given back, because somebody is about to write
  ///   their values; only the count of it goes, and that only when `uncounting`.
  func endAll(
    _ head: Lease, _ reason: EndReason, at moment: Moment, uncounting: Bool = true,
    notGivenBack isKept: (Lease, Lock) -> Bool = { _, _ in false }
  ) {
    let members = head.members
    let stood = members.compactMap { member in
      member.lock.map { lock in
        (lease: member, lock: lock, capped: cappedGiveBack(member.share, on: lock))
      }
    }
    let wasSuspect = head.state == .suspect
    if let lock = head.lock, lock.place.marksMoves {
      markEnd(
        head.cell, reason, giving: head.share, of: lock, isCapped: stood[0].capped != nil,
        isBreaking: head.breaking != nil)
    } else {
      finish(head, reason, at: moment.monotonic.nanoseconds)
    }
    var outcomes: [KernelOutcome] = []
    for (lease, lock, capped) in stood {
      if lease !== head { drop(lease, on: lock, isCapped: capped != nil) }
      var outcome = KernelOutcome.done
      if isKept(lease, lock) {
        let uncount = uncounting ? lock.place.dialect.removeFromCount(lease.share) : OpList()
        outcome = giveBack(uncount, to: lock.set.set, of: lock)
      } else if let capped {
        outcome = giveBack(list: capped, to: lock.set.set, of: lock)
      } else if !wasSuspect || lease !== head {
        outcome = giveBack(lock.place.giveBack(lease.share), to: lock.set.set, of: lock)
      }
      outcomes.append(outcome)
      if !lock.place.marksMoves { continue }
      if lease === head {
        finishMarked(head, reason, at: moment.monotonic.nanoseconds)
      } else {
        storage.commit(.free, at: lease.cell)
        giveCell(lease.cell)
      }
    }
    // A set that turned out to be gone takes its locks along.
    for (index, member) in stood.enumerated() where locksByCell[member.lock.cell] === member.lock {
      gaveBack(outcomes[index], on: member.lock, at: moment)
    }
  }

  /// Takes a part out of everything but the kernel; where that cannot tell, its record says what is under way.
  private func drop(_ part: Lease, on lock: Lock, isCapped: Bool) {
    part.state = .ended(.released)
    dismissUpgrade(of: part)
    detach(part)
    freeText(part.textCell)
    leasesByCell[part.cell] = nil
    part.kind = .single
    if !lock.place.marksMoves {
      storage.commit(.free, at: part.cell)
      giveCell(part.cell)
    } else {
      markEnd(part.cell, .released, giving: part.share, of: lock, isCapped: isCapped)
    }
  }
}
