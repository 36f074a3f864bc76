import SysVTypes

/// What stands on a semaphore set, for those who write its values or remove it.
extension Ledger {
  /// The live leases on some semaphores of a set, by their short names; `nil` means all semaphores.
  public func refs(on numbers: Range<Int>?, of set: Int32) -> [String] {
    holders(on: numbers, of: set).map(\.id.ref)
  }

  /// The live leases on each semaphore of a set, by their short names, at most `limit` for each.
  public func refsBySemaphore(of set: Int32, limit: Int) -> [Int: [String]] {
    var refs: [Int: [String]] = [:]
    for lock in lockTable.locks(on: set) {
      for lease in lock.holders {
        for number in lease.semaphores(of: lock) where refs[number, default: []].count < limit {
          refs[number, default: []].append(lease.id.ref)
        }
      }
    }
    return refs
  }

  /// Whether somebody queues for a lock that stands on a set.
  public func hasWaiters(on set: Int32) -> Bool {
    lockTable.locks(on: set).contains { !$0.queue.isEmpty }
  }

  /// Throws where one of the live leases on some semaphores of a set is not for a caller to end.
  public func checkReach(_ caller: Caller, on numbers: Range<Int>?, of set: Int32) throws(LeaseholdError) {
    guard let confinement = caller.confinement else { return }
    for lease in holders(on: numbers, of: set) { try confinement.check(lease) }
  }

  /// Ends the leases on some semaphores of a set as broken, and gives nothing back.
  ///
  /// For who is about to write the values: what the leases took is not theirs to return any more.
  /// The ledger's own count of them goes, so that nobody gives them back after a crash either.
  public func breakLeases(on numbers: Range<Int>?, of set: Int32, at moment: Moment) -> [String] {
    let leases = holders(on: numbers, of: set)
    breakUncovered(leases, .broken, uncounting: true, at: moment)
    return leases.map(\.id.ref)
  }

  /// This service removed a set for a caller: what stood on it is over.
  public func setRemoved(_ set: Int32, at moment: Moment) {
    for lock in lockTable.nativeSet(set)?.locks.values.map(\.self) ?? [] {
      while let waiter = lock.queue.first { dismiss(waiter, Self.setRemoved(lock.key, at: moment)) }
    }
    setVanished(set, at: moment)
  }

  private func holders(on numbers: Range<Int>?, of set: Int32) -> [Lease] {
    lockTable.locks(on: set).flatMap { lock in
      lock.holders.filter { lease in
        guard let numbers else { return true }
        return lease.semaphores(of: lock).contains(where: numbers.contains)
          || lock.place.dialect.counters.contains { $0.counts(lease.mode) && numbers.contains($0.semaphore) }
      }
    }
  }
}

extension Lease {
  /// The semaphores of its lock's set that it stands on.
  func semaphores(of lock: Lock) -> [Int] {
    switch lock.place {
    case .operations: adjustments.map { Int($0.semaphore) }
    case .apache where mode != .shared: [lock.place.dialect.companion ?? lock.place.semaphore]
    case .own, .php, .apache, .counter: [lock.place.semaphore]
    }
  }
}
