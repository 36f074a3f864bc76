/// Leasehold's own locks: banks of 64, three semaphores each.
///
/// ```
///   0...63    free units: the lock itself; native programs may take part here
///  64...127   units out on leases (the ledger's count); only the daemon writes it
/// 128...191   the lock's capacity while the place is in use, else 0
/// 192...194   signature 19528, layout version, instance
/// ```
public struct NamedDialect: Sendable {
  /// Locks of one bank.
  public static let locksPerBank = 64
  /// Semaphores of one bank.
  public static let semaphoresPerBank = 3 * locksPerBank + 3
  /// Where the signature begins.
  public static let trailer = 3 * locksPerBank
  /// Marks a set as Leasehold's: "LH" in ASCII.
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

  /// The units free and out, as a dialect counts them.
  @inline(__always)
  public var counter: CounterDialect { CounterDialect(semaphore: semaphore, ledger: ledger) }

  /// Puts the place into use; fails unless it is clean.
  public func open(capacity: Int) -> OpList {
    OpList(
      .expectZero(live), .expectZero(ledger), .expectZero(semaphore), .add(capacity, to: semaphore),
      .add(capacity, to: live))
  }

  /// Lets units go that were taken for nobody, and makes more.
  func raise(making units: Int, lettingGo withheld: Int) -> OpList {
    switch (units, withheld) {
    case (_, 0): OpList(.add(units, to: live), then: .add(units, to: semaphore))
    case (0, _): counter.giveBack(Share(.exclusive, units: withheld))
    default:
      OpList(.add(units, to: live), .add(units + withheld, to: semaphore), .add(-withheld, to: ledger))
    }
  }

  /// Takes the place out of use; fails unless every unit is free, or out for nobody.
  public func retire(capacity: Int, withheld: Int = 0) -> OpList {
    guard withheld == 0 else {
      return OpList(
        .add(-withheld, to: ledger), .expectZero(ledger), .add(-capacity, to: live), .expectZero(live),
        // Where all is withheld, both expect zero.
        .add(withheld - capacity, to: semaphore), .expectZero(semaphore))
    }
    return OpList(
      .expectZero(ledger), .add(-capacity, to: live), .expectZero(live), .add(-capacity, to: semaphore),
      .expectZero(semaphore))
  }
}
