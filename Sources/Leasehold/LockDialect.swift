/// What a lock means in the kernel: turns units taken and given back into operations on one set.
///
/// A dialect computes; it never decides who gets a lock, and the ledger, the queues and the recovery do not know which
/// dialect they serve. Each list changes the free units and the ledger's count of units out in one step, so that
/// whatever a crash leaves behind can be told from the kernel's values alone.
public protocol LockDialect: Sendable {
  /// Takes units, or fails as a whole.
  func take(_ units: Int) -> OpList
  /// Gives units back.
  func giveBack(_ units: Int) -> OpList
  /// Turns units that a waiting thread got with SEM_UNDO into units of the ledger, without a moment in between.
  func keepWaited(_ units: Int) -> OpList
  /// Gives back units that a waiting thread got with SEM_UNDO.
  func dropWaited(_ units: Int) -> OpList
  /// The semaphore that waiters wait on.
  var semaphore: Int { get }
  /// Units that the kernel says are out on leases, from the values of the whole set.
  func unitsOut(_ values: [UInt16]) -> Int
}

/// Leasehold's own locks: banks of 64, three semaphores each.
///
/// ```
///   0...63    free units: the lock itself; native programs may take part here
///  64...127   units out on leases (the ledger's count); nobody else writes it
/// 128...191   the lock's capacity while the place is in use, else 0
/// 192...194   signature 19528, layout version, instance
/// ```
public struct NamedDialect: LockDialect {
  /// Locks of one bank.
  public static let locksPerBank = 64
  /// Semaphores of one bank.
  public static let semaphoresPerBank = 3 * locksPerBank + 3
  /// Where the signature begins.
  public static let trailer = 3 * locksPerBank
  /// Marks a set as a bank: "LH" in ASCII.
  public static let signature: UInt16 = 0x4c48
  /// The layout above.
  public static let layoutVersion: UInt16 = 1

  /// The place in the bank, 0...63.
  public let place: Int

  /// The dialect of one place.
  public init(place: Int) { self.place = place }

  /// Free units.
  public var semaphore: Int { place }
  /// Units out on leases.
  public var ledger: Int { Self.locksPerBank + place }
  /// Capacity while in use.
  public var live: Int { 2 * Self.locksPerBank + place }

  /// Takes units, or fails as a whole.
  public func take(_ units: Int) -> OpList { OpList(.add(-units, to: semaphore), then: .add(units, to: ledger)) }

  /// Gives units back.
  public func giveBack(_ units: Int) -> OpList { OpList(.add(units, to: semaphore), then: .add(-units, to: ledger)) }

  /// Turns waited units into units of the ledger.
  public func keepWaited(_ units: Int) -> OpList {
    OpList(.addUndone(units, to: semaphore), .add(-units, to: semaphore), .add(units, to: ledger))
  }

  /// Gives waited units back.
  public func dropWaited(_ units: Int) -> OpList { OpList(.addUndone(units, to: semaphore)) }

  /// Puts the place into use.
  public func open(capacity: Int) -> OpList {
    OpList(.expectZero(live), .add(capacity, to: semaphore), .add(capacity, to: live))
  }

  /// Takes the place out of use; fails unless every unit is free.
  public func retire(capacity: Int) -> OpList {
    OpList(
      .expectZero(ledger), .add(-capacity, to: live), .expectZero(live), .add(-capacity, to: semaphore),
      .expectZero(semaphore))
  }

  /// The kernel's count of units out.
  public func unitsOut(_ values: [UInt16]) -> Int { Int(values[ledger]) }
}
