import SysVTypes

// Locks on sets that native programs use too. They live as long as leases or waiters stand on them and a little longer;
// the sets themselves are made as the native program would make them, and never collected.

extension Ledger {
  /// The lock a request with a binding means, on the set that it leads to now.
  func bindLock(_ request: AcquireRequest, _ native: NativeRequest, at moment: Moment) throws(LeaseholdError) -> Lock {
    let bound = try lockTable.bind(request.key, native, creating: native.makesSet, access: .alter)
    let lock = try lock(request.key, native, on: bound, for: request.caller, at: moment)
    if let unitsMax = request.limit ?? lock.capacity, request.count > unitsMax {
      throw .countExceeds(request.count, unitsMax)
    }
    return lock
  }

  /// The lock of a set that was found or made.
  private func lock(
    _ key: LockKey, _ native: NativeRequest, on bound: BoundSet, for caller: Caller, at moment: Moment
  ) throws(LeaseholdError) -> Lock {
    if let old = lockTable.setReplaced(by: bound.id) { setVanished(old.id.set, at: moment) }
    let layout = try Self.layout(native, on: bound)
    try checkBooks(native, layout, on: bound)
    if let known = lockTable.natives[bound.id.set]?.locks[native.semaphore] {
      known.wasJustMade = bound.wasMade
      if Self.agree(known, layout) { return known }
      guard known.isIdle, retire(known) else { throw Self.otherDialect(known, key) }
    }
    let claim = try caller.account?.claim(.locks)
    let capacity = bound.wasMade && native.dialect == .path ? Int(native.values[native.semaphore]) : nil
    let set = lockTable.adoptSet(bound.id, count: bound.count)
    let lock = try makeLock(key, layout, native.semaphore, on: set, capacity: capacity, at: moment)
    lock.wasJustMade = bound.wasMade
    lock.claim = claim
    // Units that a ledger of ours counts as out while nothing stands here belonged to a lost ledger.
    if moment.monotonic.nanoseconds >= lockTable.reclaimUnknownUnitsAfter, !lock.place.sharesCount,
      case .values(let values) = lockTable.read(set)
    {
      returnUnknownUnits(lock, values)
    }
    return lock
  }

  /// Makes the entry of a lock on a set that native programs use.
  func makeLock(
    _ key: LockKey, _ layout: LockLayout, _ semaphore: Int, on set: NativeSet, capacity: Int?, at moment: Moment
  ) throws(LeaseholdError) -> Lock {
    do {
      let place = Place.native(set, layout, UInt16(semaphore))
      let lock = try journal.draftLock(key, place, capacity, .live, at: moment) { leaseTable.forgetOldestEnd() }
      lockTable.register(lock)
      return lock
    } catch {
      if set.locks.isEmpty { lockTable.forget(set) }
      throw error
    }
  }

  /// The layout of a request's lock in a set; refuses numbers that the set does not have.
  private static func layout(_ native: NativeRequest, on bound: BoundSet) throws(LeaseholdError) -> LockLayout {
    guard native.semaphore < bound.userCount else { throw noSuchNumber(native.semaphore, of: bound) }
    switch native.dialect {
    case .php: return .php
    case .apache: return .apache
    case .path, .sysv:
      let ledger = bound.hasLedger ? UInt16(bound.userCount + native.semaphore) : nil
      return .counter(ledger: ledger, isPath: native.dialect == .path)
    }
  }

  /// Returns true when a request may use a lock that is known under another name.
  ///
  /// A `sysv:` name may mean a semaphore that is known as a `php:` or `path:` lock, and then takes part in it. The
  /// other way round a `sysv:` lock becomes a `path:` one, which differs only in how it waits.
  private static func agree(_ known: Lock, _ asked: LockLayout) -> Bool {
    switch (known.place, asked) {
    case (.native(_, .php, _), .counter(ledger: nil, isPath: false)): return true
    case (.native(let set, .counter(let ledger, let isPath), let number), .counter(let itsLedger, let asksForPath)):
      guard ledger == itsLedger else { return false }
      if asksForPath, !isPath { known.place = .native(set, asked, number) }
      return true
    default: return known.place.layout == asked
    }
  }

  // MARK: Without a lease

  /// Opens a lock without taking it: makes the set as the native program would; of an own lock, its place.
  ///
  /// - Throws: As ``NativeLockService/open(_:for:at:)``.
  public func open(_ want: Want, for caller: Caller, at moment: Moment) throws(LeaseholdError) -> OpenedLock {
    guard state == .ready else { throw Self.notServing(state) }
    let request = AcquireRequest(want, ttl: .zero, caller: caller)
    let isKnown = lockTable[request.key] != nil
    let lock = try findOrMakeLock(request, at: moment)
    lock.lastUse = moment.monotonic.nanoseconds
    var limitApplied = lock.place.isPath ? lock.wasJustMade : lock.applies(request)
    if lock.place.isPHP, let set = lock.place.native {
      limitApplied = openPHP(set, limit: request.limit ?? 1)
      guard limitApplied != nil else {
        setVanished(lock, at: moment)
        throw Self.setKeepsVanishing(request.key, at: moment)
      }
    }
    return OpenedLock(
      lock: withKernelView(snapshot(lock, holders: 0, waiters: 0)),
      wasMade: lock.place.isOwn ? !isKnown : lock.wasJustMade, limitApplied: limitApplied)
  }

  /// Where a native name leads, changing nothing.
  ///
  /// - Throws: As ``NativeLockService/binding(_:_:)``.
  public func binding(_ key: LockKey, _ native: NativeRequest) throws(LeaseholdError) -> KeyBinding {
    let place = try lockTable.whereabouts(key, native)
    let apache = native.dialect == .apache ? ApacheDialect(reader: native.semaphore, of: native.count) : nil
    return KeyBinding(
      key: place.set?.id.key ?? place.key, id: place.set?.id.set, semaphoreCount: place.set?.count ?? native.count,
      semaphore: native.semaphore, companion: apache?.writer)
  }

  /// A native lock on which nothing of ours may stand: what the kernel tells of it.
  func inspect(
    _ key: LockKey, _ native: NativeRequest, listed: Int
  ) throws(LeaseholdError) -> LockSnapshot {
    let bound = try lockTable.bind(key, native, access: .read)
    let set = lockTable.natives[bound.id.set] ?? NativeSet(id: bound.id, count: bound.count)
    if let known = set.locks[native.semaphore] {
      return withKernelView(snapshot(known, holders: listed, waiters: listed))
    }
    // Not known to the ledger: an entry for this answer alone.
    let place = Place.native(set, try Self.layout(native, on: bound), UInt16(native.semaphore))
    let lock = Lock(key: key, cell: -1, place: place, capacity: nil, textCell: TextRecord.none, lastUse: 0)
    return withKernelView(snapshot(lock, holders: listed, waiters: 0))
  }

  /// Removes the whole set of a native lock, as `sem_remove` does: the leases and waiters of every lock on it end.
  func removeNative(
    _ key: LockKey, _ native: NativeRequest, force: Bool, within confinement: Confinement?, at moment: Moment
  ) throws(LeaseholdError) {
    let bound = try lockTable.bind(key, native, access: .control)
    let known = lockTable.natives[bound.id.set]
    if let known { try check(confinement, holdersOf: known.locks.values) }
    if !force {
      // Of several locks on the set the one that is meant comes first, so that the answer is about it.
      let busy = known?.locks.values.filter { !$0.isIdle } ?? []
      if let lock = busy.first(where: { $0.key == key }) ?? busy.min(by: { $0.cell < $1.cell }) {
        throw inUse(lock, at: moment.monotonic)
      }
      if let users = nativeUse(native.dialect, bound) { throw Self.inUseNatively(key, users) }
    }
    let outcome = lockTable.remove(set: bound.id.set)
    guard outcome == .done || outcome == .removed else { throw Self.refused(outcome, doing: "remove the set") }
    setRemoved(bound.id.set, at: moment)
  }

  /// The words for natives that use a set, as far as the locks known on it and its values tell; `nil` for none.
  public func nativeUse(of set: Int32) -> String? {
    guard let known = lockTable.natives[set], let lock = known.locks.values.first else { return nil }
    let dialect: NativeRequest.Dialect =
      switch lock.place.layout {
      case .php: .php
      case .apache: .apache
      case .named, .counter, .operations: .path
      }
    return nativeUse(dialect, BoundSet(id: known.id, count: known.count))
  }

  /// The words for natives that use a set, as far as its values tell; `nil` for none.
  private func nativeUse(_ dialect: NativeRequest.Dialect, _ bound: BoundSet) -> String? {
    for number in 0..<bound.userCount {
      if let waiting = lockTable.waiters(bound.id.set, number), waiting > 0 {
        return "\(waiting) wait on semaphore \(number)"
      }
    }
    guard case .values(let values) = lockTable.read(set: bound.id.set), values.count == bound.count else { return nil }
    let units = lockTable.locks(on: bound.id.set).reduce(0) { $0 + ($1.place.sharesCount ? $1.unitsOut : 0) }
    switch dialect {
    case .php:
      let handles = PHPDialect.State(values, leases: units).handles
      return handles > 0 ? "PHP programs have \(handles) handles open" : nil
    case .apache:
      let holders = values.reduce(0) { $0 + Int($1) } - units * ApacheDialect.weight
      return holders > 0 ? "\(holders) hold sessions" : nil
    case .path, .sysv: return nil
    }
  }
}
