import SysVTypes

extension Ledger {
  /// Takes what is wanted, all or nothing, and makes the lease, or parts of one that there is.
  func takeAll(
    _ wanted: [Wanted], _ wants: [AcquireRequest], _ caller: Caller, _ fingerprint: UInt64, waited: TimeSpan,
    addedTo known: Lease? = nil, at moment: Moment
  ) throws(LeaseholdError) -> Granting {
    let locks = wants.indices.map { index in wanted.first { $0.wants.contains(index) }?.lock ?? wanted[0].lock }
    let draft = try prepareAll(wants, locks, caller, fingerprint, waited: waited, addedTo: known, at: moment)
    let order = wanted.indices.sorted { wanted[$0].lock.set.set < wanted[$1].lock.set.set }
    var taken = TakenSets()
    var applied: [ObjectIdentifier: Bool] = [:]
    var next = 0
    while next < order.count {
      let set = wanted[order[next]].lock.set.set
      let together = order[next...].prefix { wanted[$0].lock.set.set == set }
      guard let (obstacle, lock) = take(together.map { wanted[$0] }, wants, draft, &taken, &applied) else {
        next += together.count
        continue
      }
      for index in order[..<next].reversed() { untake(wanted[index], taken) }
      taken.wentBack()
      journal.discard(draft)
      return .not(obstacle, lock)
    }
    for index in wants.indices.reversed() {
      if let outcome = keep(draft, index, on: locks[index], taken) {
        for other in wants.indices where other != index {
          undo(draft, other, on: locks[other], isPermanent: other > index, taken)
        }
        taken.wentBack()
        journal.discard(draft)
        if case .failed(let failure) = outcome { throw Self.kernelRefused(failure, doing: "take the lock") }
        return .not(outcome == .removed ? .removed : .retrySoon, locks[index])
      }
      if index > 0 { journal.hold(draft, part: index, taken) }
    }
    let leases = wants.indices.map { index in
      let lease = draft.member(index)
      if index == 0 { (lease.owner, lease.idempotencyKey) = (wants[0].owner, wants[0].idempotencyKey) }
      lease.asked.limitApplied = applied[ObjectIdentifier(locks[index])] ?? locks[index].applies(wants[index])
      return lease
    }
    journal.hold(draft, taken)
    if let known {
      for (part, lock) in zip(leases, locks) {
        register(part, of: known, on: lock)
        guard !known.asked.leavesNoTrace else { continue }
        observers.ring.note(.granted, part, of: known, at: moment.monotonic.nanoseconds)
      }
      return .granted(known)
    }
    let whole = leases[0]
    var request = wants[0]
    request.caller = caller
    stand(whole, for: request, on: locks[0])
    for (part, lock) in zip(leases, locks).dropFirst() { register(part, of: whole, on: lock) }
    // The whole's grant was noted before it had parts.
    observers.ring.noteParts(.granted, of: whole, at: whole.grantedAt.nanoseconds)
    return .granted(whole)
  }

  /// Writes the records of a lease of several, or of parts that are added to one.
  private func prepareAll(
    _ wants: [AcquireRequest], _ locks: [Lock], _ caller: Caller, _ fingerprint: UInt64, waited: TimeSpan,
    addedTo known: Lease?, at moment: Moment
  ) throws(LeaseholdError) -> Draft {
    // Its records have an id of their own: one of which nobody knows what it took is a suspect beside the lease.
    let added = known.map {
      PartGroup(
        id: leaseTable.makeID(), fence: journal.nextFence(at: moment), grantedAt: moment.monotonic,
        addedTo: $0.groupFence)
    }
    var leases: [Lease] = []
    func next() throws(LeaseholdError) -> Draft {
      let index = leases.count
      let lock = locks[index]
      let group = added ?? leases.first.map { PartGroup(id: $0.id, fence: $0.fence, grantedAt: $0.grantedAt) }
      var request = wants[index]
      request.caller = caller
      // Of one lock wanted twice neither takes what the other names, or has by now.
      let kept = lock.terms == nil ? 0 : slots(of: wants, in: locks, on: lock, but: index, leases)
      let draft = try prepare(
        request, lock: lock, share: lock.share(of: request), waited: waited,
        fingerprint: group != nil ? UInt64(index) : request.idempotencyKey == nil ? nil : fingerprint, partOf: group,
        beside: kept, at: moment)
      leases.append(draft.lease)
      return draft
    }
    var draft = try next()
    do throws(LeaseholdError) {
      while leases.count < wants.count { draft.add(try next()) }
    } catch {
      journal.discard(draft)
      throw error
    }
    return draft
  }

  /// The slots of a lock that the other wants of a request name, or were given.
  private func slots(
    of wants: [AcquireRequest], in locks: [Lock], on lock: Lock, but index: Int, _ given: [Lease]
  ) -> UInt64 {
    var slots: UInt64 = 0
    for other in wants.indices where other != index && locks[other] === lock {
      slots |= other < given.count ? given[other].slots : lock.share(of: wants[other]).slots
    }
    return slots
  }

  /// Takes what lies in one set, as one step; `nil` when it is done.
  private func take(
    _ wanted: [Wanted], _ wants: [AcquireRequest], _ draft: borrowing Draft, _ all: inout TakenSets,
    _ applied: inout [ObjectIdentifier: Bool]
  ) -> (Obstacle, Lock)? {
    let lock = wanted[0].lock
    if wanted.count == 1 {
      let marks = draft.marks(wanted[0].wants)
      switch takeNatively(wanted[0].share, of: lock, for: wants[wanted[0].wants[0]], marks) {
      case .taken(let taken, let limitApplied):
        all.add(taken)
        if let limitApplied { applied[ObjectIdentifier(lock)] = limitApplied }
        return nil
      case .not(let obstacle):
        journal.unmark(marks)
        if case .refused(let error) = obstacle, error.code == .countExceedsLimit, wanted[0].wants.count > 1 {
          // No single want is too large: what is put into force, and so the limit, is known only now.
          let keys = wanted[0].wants.map { wants[$0].key }
          return (.refused(.sameLockTwice(keys[0], keys[1], "more of its slots than its limit")), lock)
        }
        return (obstacle.asOfSeveral(wants[0]), lock)
      }
    }
    for one in wanted {
      if !one.lock.place.isOwn, !one.lock.isWithinLimit(one.share.units) { return (.busy, one.lock) }
      if !collect(one.lock) { return (.busy, one.lock) }
      guard one.lock.place.sharesCount else { continue }
      guard case .values(let values) = readCounts(of: one.lock) else { return (.removed, one.lock) }
      if let full = full(one.lock, for: one.share, values) {
        return (Obstacle.full(full).asOfSeveral(wants[0]), one.lock)
      }
      mark(draft.marks(one.wants), taking: one.share, of: one.lock, values)
    }
    switch lockTable.take(wanted, in: lock.set.set) {
    case .taken(let taken):
      all.add(taken)
      return nil
    case .not(.wouldBlock):
      // A look, which takes nothing, tells which one is in the way.
      return wanted.first { lockTable.isBusy($0) }.map { (.busy, $0.lock) } ?? (.retrySoon, lock)
    case .not(let outcome): return (Obstacle(outcome, doing: "take the locks"), lock)
    }
  }

  /// Gives back what was taken for a lease that does not come to be.
  private func untake(_ wanted: Wanted, _ taken: borrowing TakenSets) {
    let outcome = lockTable.untake(
      wanted.share, of: wanted.lock, isPermanent: wanted.lock.place.countsLeasedUnits, taken)
    if outcome != .done, outcome != .removed { observers.counters.undoFailures += 1 }
  }

  /// Makes permanent what was taken for one of the records, where nothing counts it; the outcome when that fails.
  private func keep(
    _ draft: borrowing Draft, _ index: Int, on lock: Lock, _ taken: borrowing TakenSets
  ) -> KernelOutcome? {
    guard !lock.place.countsLeasedUnits else { return nil }
    let share = draft.member(index).share
    journal.arm(draft, index, taken)
    guard let outcome = lockTable.makePermanent(share, of: lock, taken) else { return nil }
    journal.unmark(draft.marks([index]))
    if outcome != .removed { lockTable.dropWaited(share, of: lock) }
    return outcome
  }

  /// Gives back what was made permanent, and the rest, when a later step failed.
  private func undo(
    _ draft: borrowing Draft, _ index: Int, on lock: Lock, isPermanent: Bool, _ taken: borrowing TakenSets
  ) {
    let share = draft.member(index).share
    let isPermanent = isPermanent || lock.place.countsLeasedUnits
    guard isPermanent, lock.place.marksMoves else {
      journal.unmark(draft.marks([index]))
      lockTable.untake(share, of: lock, isPermanent: isPermanent, taken)
      return
    }
    let ending = beginEnd(draft.member(index).cell, .undelivered, giving: share, of: lock, sharedCounts(of: lock))
    _ = lockTable.giveBack(.share(share), of: lock, ending)
    journal.unmark(ending)
  }

  /// Lets a lease be a part of another.
  func register(_ part: Lease, of whole: Lease, on lock: Lock) {
    leaseTable.register(part, of: whole, on: lock)
    registered(part, on: lock)
  }

  // MARK: The end

  /// Ends a lease of one lock or several and hands its units on.
  ///
  /// Where the kernel cannot tell afterwards whether they were given back, the record says that this is under way.
  ///
  /// - Parameter isKept: Whether what it has of some semaphores is not given back, because a caller is about to write
  ///   their values; only the count of it goes, and that only when `uncounting`.
  func endAll(
    _ head: Lease, _ reason: EndReason, at moment: Moment, uncounting: Bool = true,
    notGivenBack isKept: (Lease, Lock) -> Bool = { _, _ in false }
  ) {
    let now = moment.monotonic.nanoseconds
    let stood = head.members.compactMap { member in
      member.lock.map { lock in
        let values = sharedCounts(of: lock)
        return (
          lease: member, lock: lock, values: values, capped: giveBackWithinCapacity(member.share, on: lock, values)
        )
      }
    }
    precondition(stood.first?.lease === head, "a lease of several stands on its first lock until its end")
    func returned(_ index: Int) -> Return {
      let (lease, lock, _, capped) = stood[index]
      if isKept(lease, lock) { return uncounting ? .countOnly(lease.share) : .nothing }
      return capped.map { .operations($0) } ?? lease.givesBack
    }
    var outcomes: [KernelOutcome] = []
    for (index, (lease, lock, values, capped)) in stood.enumerated() {
      let isWhole = index == 0
      if !isWhole { forget(part: lease, on: lock) }
      if lease.state == .suspect {
        finishMarked(lease, reason, at: now).forfeit()
        outcomes.append(.done)
      } else if lock.place.marksMoves {
        let ending = beginEnd(
          lease.cell, isWhole ? reason : .released, giving: lease.share, of: lock,
          isWhole ? values : sharedCounts(of: lock), isCapped: capped != nil,
          isBreaking: isWhole && lease.breaking != nil)
        outcomes.append(lockTable.giveBack(returned(index), of: lock, ending))
        if isWhole {
          journal.gaveBack(ending)
          finishMarked(lease, reason, at: now).forfeit()
        } else {
          journal.free(ending)
        }
        if stood.count == 1, outcomes[0].mayPass, lock.place.sharesCount {
          keepMark(of: lease, reason, on: lock, isCapped: capped != nil)
        }
      } else {
        let ended = isWhole ? finish(lease, reason, at: now) : journal.endPart(lease.cell)
        outcomes.append(lockTable.giveBack(returned(index), of: lock, ended))
      }
    }
    // A set that turned out to be gone takes its locks along.
    for (index, member) in stood.enumerated() where lockTable.knows(member.lock) {
      gaveBack(outcomes[index], on: member.lock, at: moment)
    }
  }

  /// Takes a part out of everything but its record and the kernel.
  private func forget(part: Lease, on lock: Lock) {
    leaseTable.unregister(part, as: .released)
    observers.bumpVersion(of: lock)
    dismissUpgrade(of: part)
    journal.freeText(part.textCell)
    part.kind = .single
  }
}

extension Obstacle {
  /// Turns a lack of room to be counted into another look soon for a waiter, and else into a refusal.
  fileprivate func asOfSeveral(_ request: AcquireRequest) -> Obstacle {
    guard case .full(let error) = self else { return self }
    return request.wait > .zero ? .retrySoon : .refused(error)
  }
}
