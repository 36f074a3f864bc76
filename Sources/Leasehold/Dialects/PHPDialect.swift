/// PHP's sysvsem: what `sem_get` makes of a key.
///
/// ```
///   0   SEM      free slots
///   1   USAGE    open handles of PHP, and 1024 for each unit out on a lease
///   2   SETVAL   raised by PHP while it looks at USAGE and sets SEM
/// ```
/// PHP sets SEM to its own maximum whenever USAGE says that it is alone, so a unit that is not counted there is wiped
/// out by the next `sem_get`. Counting 1024 for each keeps the lease; the records say how many of them are leases', and
/// all the rest are PHP's handles.
/// The layout and its order are those of php-src, ext/sysvsem/sysvsem.c.
public struct PHPDialect: LockDialect {
  /// Semaphores of a set.
  public static let semaphores = 3
  /// The weight in USAGE of a unit on a lease.
  public static let weight = LeaseCounter.sharedWeight
  /// Units that can be out on leases at once, beside no handle at all: more would not fit USAGE.
  public static let unitsMax = (LeaseCounter.valueMax - LeaseCounter.roomForNatives) / weight

  private static let sem = 0
  private static let usage = 1
  private static let guardian = 2

  /// SEM.
  public var semaphore: Int { Self.sem }

  /// The numbers of USAGE and SETVAL: PHP's own books.
  public static let books = usage...guardian

  /// Takes units while a handle is counted; fails when none is, because then SEM may be stale.
  public func take(_ share: Share) -> OpList {
    OpList(
      .expectZero(Self.guardian), .add(-1, to: Self.usage), .add(share.units * Self.weight + 1, to: Self.usage),
      .add(-share.units, to: Self.sem))
  }

  /// Sets SEM, which has `value`, to `limit` and takes units, in one step that fails when a handle is counted: what
  /// `sem_get` does in four calls under its guard.
  public func takeFirst(_ share: Share, limit: Int, value: Int) -> OpList {
    OpList(
      .expectZero(Self.guardian), .expectZero(Self.usage), .add(-value, to: Self.sem), .expectZero(Self.sem),
      .add(limit - share.units, to: Self.sem), .add(share.units * Self.weight, to: Self.usage))
  }

  /// Sets SEM, which has `value`, to `limit`, unless a handle is counted.
  public func open(limit: Int, value: Int) -> OpList {
    OpList(
      .expectZero(Self.guardian), .expectZero(Self.usage), .add(-value, to: Self.sem), .expectZero(Self.sem),
      .add(limit, to: Self.sem))
  }

  /// Gives units back.
  public func giveBack(_ share: Share) -> OpList {
    OpList(.add(share.units, to: Self.sem), then: .add(-share.units * Self.weight, to: Self.usage))
  }

  /// Counted like a handle of PHP while waiting, so that no handle sets SEM meanwhile.
  ///
  /// Only beside others: a process that is alone must set SEM first, so the wait is given up at once.
  public func wait(for share: Share) -> WaitSteps {
    WaitSteps(
      enter: OpList(
        .awaitUndone(0, on: Self.guardian), .addUndone(-1, to: Self.usage), .addUndone(2, to: Self.usage)),
      wait: OpList(.awaitUndone(-share.units, on: Self.sem)), leave: OpList(.addUndone(-1, to: Self.usage)),
      drop: OpList(.addUndone(share.units, to: Self.sem), then: .addUndone(-1, to: Self.usage)))
  }

  /// Turns waited units and the waiter's handle into units on a lease.
  public func permanentWait(_ share: Share) -> OpList {
    OpList(
      .addUndone(share.units, to: Self.sem), .add(-share.units, to: Self.sem), .addUndone(-1, to: Self.usage),
      .add(share.units * Self.weight, to: Self.usage))
  }

  /// USAGE counts.
  public var counters: [LeaseCounter] { [LeaseCounter(semaphore: Self.usage, weight: Self.weight)] }

  /// Takes units out of USAGE.
  public func removeFromCount(_ share: Share) -> OpList { OpList(.add(-share.units * Self.weight, to: Self.usage)) }

  /// A set as one look at its values shows it.
  public struct State: Sendable {
    /// SEM.
    public let value: Int
    /// Handles that PHP has open; below zero when USAGE does not cover the leases any more.
    public let handles: Int
    /// True when no handle is counted: SEM may be stale, and the next one sets it.
    public let isAlone: Bool
    /// True when a program is in the middle of `sem_get`.
    public let isGuarded: Bool

    /// Reads the values of a whole set, `units` of which are out on leases.
    public init(_ values: [UInt16], leases units: Int) {
      value = Int(values[sem])
      let usage = Int(values[PHPDialect.usage])
      handles = usage - units * weight
      isAlone = usage == 0
      isGuarded = values[guardian] != 0
    }
  }
}
