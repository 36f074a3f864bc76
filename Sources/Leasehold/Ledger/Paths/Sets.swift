import SysVTypes

// What stands on a semaphore set, for requests that write its values or remove it.
//
// Which semaphores of a set are books, and no locks: what PHP counts and guards with, what Apache's sessions count
// while leases are among them, the count of leases and the marks of a `path:` set of this service's making.
//
// What writes such a set asks here: acquires by `sysv:` names, raw operations, values that are set.

extension Ledger {
  /// The live leases on some semaphores of a set, by their short names; `nil` means all semaphores.
  public func refs(on numbers: Range<Int>?, of set: Int32) -> [String] {
    holders(on: numbers, of: set).map(\.whole.id.ref)
  }

  /// The live leases on each semaphore of a set, by their short names, at most `limit` for each.
  public func refsBySemaphore(of set: Int32, limit: Int) -> [Int: [String]] {
    var refs: [Int: [String]] = [:]
    for lock in lockTable.locks(on: set) {
      for lease in lock.holders {
        for number in lease.semaphores(of: lock) where refs[number, default: []].count < limit {
          refs[number, default: []].append(lease.whole.id.ref)
        }
      }
    }
    return refs
  }

  /// Returns true when a lock that stands on a set has waiters.
  public func hasWaiters(on set: Int32) -> Bool {
    lockTable.locks(on: set).contains { !$0.queue.isEmpty }
  }

  /// Throws where one of the live leases on some semaphores of a set is not for a caller to end.
  ///
  /// - Throws: `forbidden`.
  public func checkReach(_ caller: Caller, on numbers: Range<Int>?, of set: Int32) throws(LeaseholdError) {
    guard let confinement = caller.confinement else { return }
    for lease in holders(on: numbers, of: set) { try confinement.check(lease) }
  }

  /// Ends the leases on some semaphores of a set as broken, and gives nothing back.
  ///
  /// A request that is about to write the values calls it: what the leases took is not theirs to return any more. The
  /// ledger's own count of them goes, so that no recovery gives them back either.
  public func breakLeases(on numbers: Range<Int>?, of set: Int32, at moment: Moment) -> [String] {
    let leases = holders(on: numbers, of: set)
    breakUncovered(leases, .broken, uncounting: true, at: moment)
    return leases.map(\.whole.id.ref)
  }

  /// Ends what stood on a set that this service removed for a caller.
  public func setRemoved(_ set: Int32, at moment: Moment) {
    for lock in lockTable.natives[set]?.locks.values.map(\.self) ?? [] {
      while let waiter = lock.queue.first { dismiss(waiter, Self.setRemoved(lock.key, at: moment)) }
    }
    setVanished(set, at: moment)
  }

  func holders(on numbers: Range<Int>?, of set: Int32) -> [Lease] {
    lockTable.locks(on: set).flatMap { lock in
      lock.holders.filter { lease in
        guard let numbers else { return true }
        return lease.semaphores(of: lock).contains(where: numbers.contains)
          || lock.place.dialect.counters.contains { $0.counts(lease.mode) && numbers.contains($0.semaphore) }
      }
    }
  }

  // MARK: Books

  /// The books among some semaphores of a set, and the lock that they belong to.
  ///
  /// - Parameters:
  ///   - numbers: Which semaphores; `nil` for all.
  ///   - firstOwn: The first semaphore behind those of the user, on a set of this service's making.
  func book(among numbers: Range<Int>?, of set: Int32, firstOwn: Int?) -> (number: Int, lock: LockKey?)? {
    for lock in lockTable.natives[set]?.inOrder ?? [] {
      if let number = lock.books.first(where: { numbers?.contains($0) ?? true }) { return (number, lock.key) }
    }
    guard let firstOwn else { return nil }
    if let numbers { return numbers.upperBound > firstOwn ? (max(firstOwn, numbers.lowerBound), nil) : nil }
    return (firstOwn, nil)
  }

  /// Refuses to write books, and looks at the set before it is written: what stands on it must not seem written.
  ///
  /// - Parameter numbers: Which semaphores; `nil` for all.
  /// - Throws: `own-set` for semaphores that hold the books of locks, without `force`.
  public func prepareToWrite(
    _ numbers: [Range<Int>]?, of set: Int32, count: Int, force: Bool, at moment: Moment
  ) throws(LeaseholdError) {
    if !force {
      let bound = BoundSet(
        id: BankID(set: set, key: 0), count: count, hasLedger: lockTable.hasLedger(set, count: count))
      let firstOwn = bound.hasLedger ? bound.userCount : nil
      for numbers in numbers.map({ $0.map(Optional.some) }) ?? [nil] {
        if let book = book(among: numbers, of: set, firstOwn: firstOwn) {
          throw Self.books(book.number, of: set, book.lock)
        }
      }
    }
    lookForWrites(on: set, at: moment)
  }

  /// Looks for what a native program wrote, before this service writes something itself.
  public func lookForWrites(on set: Int32, at moment: Moment) {
    if let known = lockTable.natives[set], known.hasLeases { inspect(at: known, at: moment) }
  }

  /// A thread that slept for a caller of raw operations changed semaphores: what woke it may have been a write.
  public func operatedAfterWait(on set: Int32, at moment: Moment) {
    guard let known = lockTable.natives[set], known.hasLeases else { return }
    for lock in known.locks.values { lock.tookWaiting = true }
    inspect(at: known, at: moment)
  }

  /// Refuses a name that leads to another lock's books, and one whose books are in use as a lock.
  func checkBooks(
    _ native: NativeRequest, _ layout: LockLayout, on bound: BoundSet
  ) throws(LeaseholdError) {
    guard let set = lockTable.natives[bound.id.set] else { return }
    if set.locks[native.semaphore]?.place.layout != layout,
      let book = book(among: native.semaphore..<native.semaphore + 1, of: bound.id.set, firstOwn: nil)
    {
      throw Self.books(book.number, of: bound.id.set, book.lock)
    }
    let books = layout.books(native.semaphore, of: bound.count)
    for (number, lock) in set.locks where number != native.semaphore && !lock.isIdle {
      let stands = number == LockLayout.operationsNumber ? lock.holders.flatMap { $0.semaphores(of: lock) } : [number]
      if stands.contains(where: books.contains) { throw Self.otherDialect(lock, lock.key) }
    }
  }
}

extension Lease {
  /// The semaphores of its lock's set that it stands on.
  func semaphores(of lock: Lock) -> [Int] {
    switch lock.place.layout {
    case .operations: adjustments.map { Int($0.semaphore) }
    case .apache where mode != .shared: [lock.place.dialect.companion ?? lock.place.semaphore]
    case .named, .php, .apache, .counter: [lock.place.semaphore]
    }
  }
}

extension LockLayout {
  /// The books of a lock of this layout that is named by a semaphore of a set of `count`.
  func books(_ semaphore: Int, of count: Int) -> [Int] {
    switch self {
    case .php: Array(PHPDialect.books)
    case .apache: [semaphore, ApacheDialect(reader: semaphore, of: count).writer]
    case .named, .counter, .operations: []
    }
  }
}

extension Lock {
  /// The semaphores that it keeps books in now: Apache's are the module's own to write while no lease is counted.
  fileprivate var books: [Int] {
    if place.isApache, holders.isEmpty { return [] }
    return place.layout.books(place.semaphore, of: place.native?.count ?? 0)
  }
}
