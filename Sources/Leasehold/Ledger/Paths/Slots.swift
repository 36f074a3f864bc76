// Counting locks whose slots have names.
//
// Which names a lease has stands in its record, which is written before its units are taken and marked after: so a name
// is taken and given back by the same stores as the lease. The kernel counts units and knows no names. There are never
// more units out than names, so a lease that got its units finds names. What native programs hold has no name.

extension Ledger {
  // MARK: Asking

  /// Checks what a request for a lock with terms asks for, and gives names to a lock that nobody uses.
  func checkTerms(_ request: AcquireRequest, of lock: Lock, at moment: Moment) throws(LeaseholdError) {
    if request.limit != nil || lock.slots == nil { try Self.checkCount(request) }
    if lock.isPinned || request.limit == nil, let unitsMax = lock.unitsMax(for: nil), request.count > unitsMax {
      throw .countExceeds(request.count, unitsMax)
    }
    guard let asked = request.want.slots else { return }
    let hasThem = asked.all.isEmpty || lock.slots?.means(asked.all) ?? false
    if !hasThem, lock.slots == nil || !lock.isPinned {
      guard !lock.isPinned, lock.isIdle, let slots = SlotTable(asked.all, after: SlotTable(), held: 0) else {
        throw Self.otherSlots(lock)
      }
      _ = try setTerms(limit: slots.count, isPinned: false, slots, of: lock, at: moment)
    }
    if !asked.wanted.isEmpty, lock.slots?.places(of: asked.wanted) == nil {
      throw Self.noSuchSlot(asked.wanted, of: lock)
    }
  }

  /// Returns true when a share may be had although others wait: all of them for names that it does not want.
  func mayPass(_ share: Share, on lock: Lock) -> Bool {
    guard lock.slots != nil, let kept = lock.keptSlots() else { return false }
    return lock.hasSlots(for: share, beside: kept)
  }

  /// Serves those behind a waiter for certain names who want others.
  ///
  /// What it wants is kept for it, so it is never starved.
  func servePast(_ lock: Lock, at moment: Moment) {
    var kept: UInt64 = 0
    for waiter in Array(lock.queue) where queues.has(waiter) {
      guard state == .ready, lockTable.knows(lock), !lock.isDamaged, waiter.group == nil else { return }
      guard !waiter.isDetached, lock.hasRoom(for: waiter.share), lock.hasSlots(for: waiter.share, beside: kept) else {
        guard waiter.waitsForNames else { return }
        kept |= waiter.share.slots
        continue
      }
      if grant(to: waiter, of: lock, beside: kept, at: moment) != nil { return }
    }
  }

  // MARK: Changing

  /// The names that a lock is to have.
  func slots(for request: ResizeRequest, of lock: Lock) throws(LeaseholdError) -> SlotTable {
    let old = lock.terms?.slots ?? SlotTable()
    guard let names = request.names else {
      guard request.limit == 0 || old.count == 0 || old.count == request.limit else {
        throw LeaseholdError(
          .limitMismatch,
          "The \(old.count) slots of lock '\(lock.key)' have names; give slots=NAME,NAME with all that it shall have, "
            + "or limit=0 to pause it.",
          facts: [("limit", .number(Int64(old.count))), ("slots", .texts(old.all))])
      }
      return old
    }
    guard lock.holders.allSatisfy({ $0.slots != 0 }) else {
      throw LeaseholdError(
        .inUse,
        "Lock '\(lock.key)' has leases whose slots have no names; wait until they end, or use another lock.",
        facts: [("holders", .number(Int64(lock.heldCount)))])
    }
    guard let slots = SlotTable(names, after: old, held: lock.heldSlots) else {
      throw LeaseholdError(
        .outOfRange,
        "'slots' has \(names.count) names, and leases have others still: a lock has at most \(SlotNames.namesMax) of "
          + "both. Wait until some of these end.",
        facts: [("parameter", .text("slots")), ("maximum", .number(Int64(SlotNames.namesMax)))])
    }
    return slots
  }

  /// Finds what waiters want among other names; those whose names are gone are told so.
  func findSlotsAnew(on lock: Lock) {
    guard let slots = lock.terms?.slots else { return }
    var refused: [Waiter] = []
    for waiter in lock.queue {
      let wants = waiter.group?.wants.filter { $0.key == lock.key } ?? [waiter.request]
      let wanted = wants.flatMap { $0.want.slots?.wanted ?? [] }
      if let places = slots.places(of: wanted) { waiter.share.slots = places } else { refused.append(waiter.lead) }
    }
    for waiter in refused where queues.has(waiter) {
      dismiss(waiter, Self.noSuchSlot(waiter.request.want.slots?.wanted ?? [], of: lock))
    }
  }

  // MARK: Words

  private static func otherSlots(_ lock: Lock) -> LeaseholdError {
    let names = lock.slots?.all ?? []
    return LeaseholdError(
      .limitMismatch,
      names.isEmpty
        ? "The slots of lock '\(lock.key)' have no names; ask without names, or wait until nobody uses it."
        : "Lock '\(lock.key)' is in use with slots=\(names.joined(separator: ",")); use these, or wait until nobody "
          + "uses it.",
      facts: [("slots", .texts(names))])
  }

  private static func noSuchSlot(_ wanted: [String], of lock: Lock) -> LeaseholdError {
    let names = lock.slots?.all ?? []
    let missing = wanted.filter { !names.contains($0) }.joined(separator: ",")
    return LeaseholdError(
      .invalidParameter,
      "Lock '\(lock.key)' has no slot '\(missing)'; "
        + (names.isEmpty ? "its slots have no names." : "its slots are \(names.joined(separator: ","))."),
      facts: [("parameter", .text("slot")), ("allowed", .texts(names))])
  }

  static func noSlots(_ key: LockKey) -> LeaseholdError {
    LeaseholdError(
      .invalidParameter,
      "Lock '\(key)' is not there, and so its slots have no names; give them all with 'slots', as in slots=gpu0,gpu1.",
      facts: [("parameter", .text("slot"))])
  }
}
