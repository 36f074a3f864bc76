import SysVTypes

/// The locks, and the semaphores below them.
///
/// A place of a bank is taken if a lock stands on it, and a lock's record leads to it. What takes units or gives them
/// back stands in `CrashOrder+Units.swift` alone; here is what only looks.
struct LockTable: ~Copyable {
  let kernel: any SemaphoreKernel
  /// The debts: what the kernel could not take back yet; a class, as an end changes it in the middle of a semop.
  let debts = Debts()
  /// The time, in nanoseconds, from which units are given back that values count as out and no lease covers: at once
  /// after a restart with a ledger, else when every lease of a ledger that may have been lost is over.
  var reclaimUnknownUnitsAfter: Int64 = 0
  /// Own locks whose values another program wrote.
  private(set) var damagedCount = 0
  private(set) var byCell = CellTable<Lock>()
  private var byKey = KeyIndex<LockKey, Lock>()
  /// Sets of ours, by their identifiers.
  private(set) var banks: [Int32: Bank] = [:]
  private var bankWithRoom: Bank?
  /// Sets of native programs, by their identifiers.
  private(set) var natives: [Int32: NativeSet] = [:]
  private var nativesByKey: [Int32: NativeSet] = [:]
  private var idleScan = 0
  private var driftScan = 0

  init(_ kernel: any SemaphoreKernel) { self.kernel = kernel }

  mutating func clear() { self = LockTable(kernel) }

  // MARK: Locks

  @inline(__always)
  subscript(key: LockKey) -> Lock? { byKey[key] }

  @inline(__always)
  subscript(cell: Int) -> Lock? { byCell[cell] }

  /// Returns true when a lock is still the one of its record: not where its set is gone, or it was not used for a
  /// while.
  @inline(__always)
  func knows(_ lock: Lock) -> Bool { byCell[lock.cell] === lock }

  /// Locks that are known, without what leases on raw operations stand on.
  var count: Int { natives.values.reduce(byKey.count) { $0 + $1.locks.values.count { !$0.place.isOperations } } }

  /// The locks on a set of either kind, in the order of their semaphores.
  func locks(on set: Int32) -> [Lock] { banks[set]?.present ?? natives[set]?.inOrder ?? [] }

  /// Takes in a lock whose record is marked.
  mutating func register(_ lock: Lock) {
    precondition(byCell[lock.cell] == nil, "a record has one lock")
    byCell[lock.cell] = lock
    guard case .own(let bank, let place, _) = lock.place else {
      lock.place.native?.locks[lock.place.semaphore] = lock
      return
    }
    precondition(bank.freePlaces & 1 << UInt64(place) == 0, "a lock stands on a place that is taken")
    bank.locks[Int(place)] = lock
    byKey[lock.key] = lock
  }

  /// Forgets a lock whose record is free, and frees its place.
  mutating func forget(_ lock: Lock) {
    precondition(knows(lock), "a lock is forgotten once")
    byCell[lock.cell] = nil
    lock.claim = nil
    lock.textCell = TextRecord.none
    if lock.isDamaged { damagedCount -= 1 }
    if let native = lock.place.native {
      native.locks[lock.place.semaphore] = nil
      if native.locks.isEmpty { forget(native) }
    } else if let bank = lock.place.bank {
      byKey[lock.key] = nil
      bank.freePlace(lock.place.semaphore)
    }
  }

  /// Takes in a lock that was found; `nil` where another one has its name or its semaphore.
  ///
  /// - Returns: The lock, and whether its record has a place that another record has, too.
  mutating func adopt(_ record: LockRecord, _ key: LockKey, at cell: Int) -> (lock: Lock, isShared: Bool)? {
    let id = BankID(set: record.set, key: record.sysvKey)
    var isShared = false
    let place: Place
    if case .named(let isCounting) = record.layout {
      guard byKey[key] == nil else { return nil }
      let bank = banks[id.set] ?? addBank(id)
      isShared = bank.locks[record.place] != nil
      bank.block(record.place)
      place = .own(bank, place: UInt8(record.place), isCounting: isCounting)
    } else {
      let set = adoptSet(id, count: record.semaphoreCount)
      guard set.locks[record.place] == nil else { return nil }
      place = .native(set, record.layout, UInt16(record.place))
    }
    let lock = Lock(
      key: key, cell: cell, place: place, capacity: record.capacity, textCell: record.textCell, lastUse: record.lastUse)
    register(lock)
    return (lock, isShared)
  }

  /// Marks a lock whose values another program wrote: nothing is granted until it is removed.
  mutating func markDamaged(_ lock: Lock) {
    precondition(lock.place.isOwn && !lock.isDamaged, "an own lock is damaged once")
    lock.isDamaged = true
    damagedCount += 1
  }

  /// Locks that were not used since an instant in nanoseconds.
  ///
  /// Each call looks at a bounded stretch: 100 000 locks take a minute.
  mutating func idleLocks(since instant: Int64) -> [Lock] {
    guard byKey.count > 0 || !natives.isEmpty else { return [] }
    var idle: [Lock] = []
    for _ in 0..<min(4096, byCell.count) {
      idleScan = idleScan + 1 < byCell.count ? idleScan + 1 : 0
      if let lock = byCell[idleScan], lock.isIdle, !lock.isDamaged, lock.lastUse <= instant { idle.append(lock) }
    }
    return idle
  }

  // MARK: Banks

  private mutating func addBank(_ id: BankID) -> Bank {
    let bank = Bank(id: id)
    banks[id.set] = bank
    return bank
  }

  /// A set with room for one more lock; made where there is none.
  ///
  /// - Throws: what the kernel refuses.
  mutating func bankForNewLock() throws(KernelFailure) -> Bank {
    if let bank = bankWithRoom, bank.hasRoom { return bank }
    let known = banks.values.first(where: \.hasRoom)
    let bank = if let known { known } else { addBank(try kernel.makeBank()) }
    bankWithRoom = bank
    return bank
  }

  /// Gives an empty set back to the host, unless it is the one that the next lock will go to.
  mutating func dropIfEmpty(_ bank: Bank) {
    guard bank.isEmpty else {
      if bankWithRoom?.hasRoom != true { bankWithRoom = bank }
      return
    }
    guard let other = banks.values.first(where: { $0 !== bank && $0.hasRoom }) else { return }
    kernel.removeBank(bank.id.set)
    banks[bank.id.set] = nil
    if bankWithRoom === bank { bankWithRoom = other }
  }

  /// Removes sets of ours that no lock uses; answers how many.
  func removeStrayBanks() -> Int {
    let strays = kernel.banks().filter { banks[$0.set] == nil }
    for id in strays { kernel.removeBank(id.set) }
    return strays.count
  }

  /// Forgets a set of either kind that is gone; answers what stood on it, in order; `nil` where that was known.
  mutating func forget(set: Int32) -> (id: BankID, isOwn: Bool, locks: [Lock])? {
    if let bank = banks.removeValue(forKey: set) {
      if bankWithRoom === bank { bankWithRoom = nil }
      return (bank.id, true, bank.present)
    }
    guard let native = natives[set] else { return nil }
    forget(native)
    return (native.id, false, native.inOrder)
  }

  /// Banks to look into, a bounded number at a time.
  mutating func nextBanks(_ limit: Int) -> [Bank] {
    let all = banks.values.filter { !$0.isEmpty }.sorted { $0.id.set < $1.id.set }
    guard !all.isEmpty else { return [] }
    defer { driftScan = (driftScan + limit) % all.count }
    return (0..<min(all.count, limit)).map { all[(driftScan + $0) % all.count] }
  }

  // MARK: Sets of native programs

  /// The set that had a key before another one got it.
  func setReplaced(by id: BankID) -> NativeSet? {
    guard id.key != 0, let old = nativesByKey[id.key], old.id != id else { return nil }
    return old
  }

  /// The entry of a set, made when needed.
  mutating func adoptSet(_ id: BankID, count: Int) -> NativeSet {
    if let known = natives[id.set] { return known }
    let set = NativeSet(id: id, count: count)
    natives[id.set] = set
    if id.key != 0 { nativesByKey[id.key] = set }
    return set
  }

  /// Forgets a set on which nothing stands any more; nothing happens where that was known.
  mutating func forget(_ set: NativeSet) {
    guard natives[set.id.set] === set else { return }
    natives[set.id.set] = nil
    if nativesByKey[set.id.key] === set { nativesByKey[set.id.key] = nil }
  }

  // MARK: One look

  /// The value of a lock's semaphore; `nil` when it cannot be read.
  @inline(__always)
  func value(of lock: Lock) -> Int? { kernel.value(lock.set.set, lock.place.semaphore) }

  /// The value of any semaphore of a lock's set; `nil` when it cannot be read.
  func value(_ semaphore: Int, of lock: Lock) -> Int? { kernel.value(lock.set.set, semaphore) }

  /// All values of a set that native programs use; one whose size changed is another set.
  func read(_ set: NativeSet) -> SetReading {
    let reading = kernel.read(set.id.set)
    if case .values(let values) = reading, values.count != set.count { return .gone }
    return reading
  }

  /// Returns true when a set is gone; one that cannot be read is not gone for that.
  func isGone(_ bank: Bank) -> Bool {
    kernel.value(bank.id.set, NamedDialect.trailer) == nil && kernel.read(bank.id.set) == .gone
  }

  /// The state of a semaphore as it is now.
  func seen(_ semaphore: Int, of set: NativeSet) -> SeenSemaphore {
    SeenSemaphore(
      process: kernel.lastProcess(set.id.set, semaphore), value: kernel.value(set.id.set, semaphore) ?? 0)
  }

  /// Processes other than this service that sleep on a lock's semaphore.
  func nativeWaiters(of lock: Lock) -> Int {
    max(0, (kernel.waiters(lock.set.set, lock.place.semaphore) ?? 0) - lock.waits.count)
  }

  /// The set that a native name leads to; `nil` when there is none, or it cannot be known.
  func find(_ native: NativeRequest) -> BoundSet? { try? kernel.bind(native, creating: false, access: nil) }

  /// The set that a native name leads to.
  ///
  /// - Throws: what the kernel refuses, in words.
  func bind(
    _ key: LockKey, _ native: NativeRequest, creating: Bool = false, access: IPCAccess?
  ) throws(LeaseholdError) -> BoundSet {
    do throws(BindFailure) {
      let bound = try kernel.bind(native, creating: creating, access: access)
      guard banks[bound.id.set] == nil else { throw .ownSet }
      return bound
    } catch {
      throw Ledger.bindRefused(error, key, native)
    }
  }

  /// Where a native name leads: its key, and its set if there is one.
  func whereabouts(_ key: LockKey, _ native: NativeRequest) throws(LeaseholdError) -> (key: Int32?, set: BoundSet?) {
    do {
      return (nil, try kernel.bind(native, creating: false, access: nil))
    } catch .noSet, .noPath {
      return (kernel.key(of: native), nil)
    } catch {
      throw Ledger.bindRefused(error, key, native)
    }
  }

  // MARK: The kernel, as it is

  var process: Int32 { kernel.process }
  func trace(_ set: Int32) -> SetTrace? { kernel.trace(set) }
  func read(set: Int32) -> SetReading { kernel.read(set) }
  func bankValues(_ set: Int32) -> [UInt16]? { kernel.bankValues(set) }
  func lastProcess(_ set: Int32, _ semaphore: Int) -> Int32? { kernel.lastProcess(set, semaphore) }
  func waiters(_ set: Int32, _ semaphore: Int) -> Int? { kernel.waiters(set, semaphore) }
  func hasLedger(_ set: Int32, count: Int) -> Bool { kernel.hasLedger(set, count: count) }
  func remove(set: Int32) -> KernelOutcome { kernel.remove(set) }
}

/// A set that native programs use too, as far as leases or waiters of ours stand on it.
final class NativeSet {
  let id: BankID
  let count: Int
  /// Locks by the semaphore that names them.
  fileprivate(set) var locks: [Int: Lock] = [:]
  /// The traces of the last look, once a lease stands on it.
  var trace: SetTrace?
  /// The last change of semaphores with leases, at that look: by whom and to what.
  var seen: [Int: SeenSemaphore] = [:]
  /// The values of semaphores with leases, besides what native programs hold, when all leases on them have ended: the
  /// least and the most that looks found, since a lease stands on them.
  var settled: [Int: ClosedRange<Int>] = [:]
  /// True when the last look could not tell yet what the set's time moved for.
  var isUndecided = false

  init(id: BankID, count: Int) {
    self.id = id
    self.count = count
  }

  /// True when leases stand on it.
  var hasLeases: Bool { locks.values.contains { !$0.holders.isEmpty } }

  /// Its locks in the order of their semaphores.
  var inOrder: [Lock] { locks.sorted { $0.key < $1.key }.map(\.value) }
}

/// A semaphore as one look found it.
struct SeenSemaphore: Equatable {
  /// The process that changed it last.
  var process: Int32?
  var value: Int
}

/// A semaphore set with room for 64 own locks.
final class Bank {
  let id: BankID
  /// A bit for each free place.
  private(set) var freePlaces: UInt64 = .max
  /// A bit for each place whose values had to be put right: native programs may still take it for what it was, so it is
  /// used again when there is no other.
  private var mendedPlaces: UInt64 = 0
  fileprivate(set) var locks: [Lock?] = Array(repeating: nil, count: NamedDialect.locksPerBank)

  init(id: BankID) { self.id = id }

  /// Its locks, in order.
  var present: [Lock] { locks.compactMap(\.self) }
  var isEmpty: Bool { freePlaces == .max }
  var hasRoom: Bool { freePlaces != 0 }

  /// Takes a free place; there must be one.
  func takePlace() -> Int {
    precondition(hasRoom, "a place is taken where one is free")
    let clean = freePlaces & ~mendedPlaces
    let place = (clean != 0 ? clean : freePlaces).trailingZeroBitCount
    freePlaces &= ~(1 << UInt64(place))
    return place
  }

  /// Takes a place out of use for as long as this daemon lives.
  func block(_ place: Int) { freePlaces &= ~(1 << UInt64(place)) }

  /// Notes that a place was put right: it is used again when there is no other.
  func mend(_ place: Int) { mendedPlaces |= 1 << UInt64(place) }

  func freePlace(_ place: Int) {
    precondition(freePlaces & 1 << UInt64(place) == 0, "a place is freed once")
    locks[place] = nil
    freePlaces |= 1 << UInt64(place)
  }
}
