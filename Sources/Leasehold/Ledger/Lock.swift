/// A lock in memory.
final class Lock {
  /// Its name; of a native lock, the first that was used for it.
  let key: LockKey
  let cell: Int
  /// Where it is; of a `sysv:` lock it becomes that of a `path:` one when such a name leads to it.
  var place: Place
  /// All units; `nil` where a native program may have set them.
  ///
  /// It is known of `php:` sets while a handle is counted, because PHP sets it only when none is.
  var capacity: Int?
  var textCell: UInt32
  var standing = Standing()
  var line = Line()
  var seen = Seen()
  /// When it was used last, in nanoseconds.
  var lastUse: Int64
  /// Counts it for its maker; for no caller after a restart.
  var claim: CallerClaim?
  /// The operations that the kernel could not take back yet.
  var debts = 0
  /// True when the request that found it last made its set.
  var wasJustMade = false
  /// Another program wrote its values: nothing is granted until it is removed; see ``LockTable/markDamaged(_:)``.
  var isDamaged = false
  /// The units that natives had of each counter at the last look.
  var natives: [LeaseCounter: Int] = [:]
  /// True when a thread that waited in the kernel got units since the last look.
  var tookWaiting = false
  /// The terms that an operator set for it; `nil` for none.
  var terms: Terms?

  init(key: LockKey, cell: Int, place: Place, capacity: Int?, textCell: UInt32, lastUse: Int64) {
    self.key = key
    self.cell = cell
    self.place = place
    self.capacity = capacity
    self.textCell = textCell
    self.lastUse = lastUse
  }

  @inline(__always)
  var queue: WaitQueue { line.queue }

  var waits: [(number: Int, share: Share)] { line.waits }

  /// The leases that stand on it.
  @inline(__always)
  var holders: [Lease] { standing.holders }

  /// Units out on leases, cooling ones included.
  @inline(__always)
  var unitsOut: Int { standing.unitsOut }

  /// The number of its holders that may still count on their leases.
  var heldCount: Int { holders.count - standing.coolingCount }

  /// The set that it lies in.
  @inline(__always)
  var set: BankID { place.set }

  /// True when no lease stands on it, it has no waiter, and the kernel has all of it back.
  var isIdle: Bool { holders.isEmpty && queue.isEmpty && debts == 0 }

  /// The kind of the lock, with the limit where that is known.
  var kind: LockKind {
    switch place.layout {
    case .named(isCounting: false), .apache: .readersWriter
    case .named, .php, .counter, .operations: capacity.map { .counting(limit: $0) } ?? .slots
    }
  }

  /// The most units that one lease can have, as the kernel counts them.
  var unitsMax: Int {
    switch place.layout {
    case .named: made
    case .php, .apache: PHPDialect.unitsMax
    case .counter, .operations: Limits.slots
    }
  }

  /// The share that a request takes from the semaphore.
  @inline(__always)
  func share(_ mode: LockMode, count: Int) -> Share {
    if case .own(_, _, isCounting: false) = place { return Share(mode, units: mode == .exclusive ? capacity ?? 0 : 1) }
    return Share(mode, units: count)
  }

  /// Returns true when so many more units may be out on leases, as far as the ledger knows: of native locks only the
  /// kernel does.
  @inline(__always)
  func hasRoom(for units: Int) -> Bool { !place.isOwn || unitsOut + units <= capacity ?? .max }

  var binding: SemaphoreBinding {
    SemaphoreBinding(
      key: set.key, id: set.set, semaphoreCount: place.native?.count ?? NamedDialect.semaphoresPerBank,
      semaphore: place.semaphore, companion: place.isApache ? place.dialect.companion : nil)
  }

  /// True when every waiter sleeps in the kernel by itself, because native programs of the kind count waiters.
  var waitsOneByOne: Bool { place.isPath }
}

/// The layout of a lock in its set, which its record tells and its dialect is made of.
enum LockLayout: Hashable {
  /// Leasehold's own, in a bank.
  case named(isCounting: Bool)
  /// PHP's three semaphores.
  case php
  /// One of the sessions' numbers.
  case apache
  /// One semaphore, with a ledger where the set is of our making.
  case counter(ledger: UInt16?, isPath: Bool)
  /// The place of no lock: what the leases on raw operations of a set stand on.
  case operations

  /// In place of a semaphore's number where there is no lock: none has it, as SEMMSL is at most 32000 (semctl(2)).
  static let operationsNumber = 65_535

  /// Where the lock may be in a set of `count`.
  func places(of count: Int) -> ClosedRange<Int> {
    switch self {
    case .named: 0...NamedDialect.locksPerBank - 1
    case .php: 0...0
    case .apache: 0...count - 1 - count / 2
    case .counter: 0...count - 1
    case .operations: Self.operationsNumber...Self.operationsNumber
    }
  }

  /// Returns true when what a lock at a place counts in, if it does, is where it belongs in a set of `count`.
  func hasRoom(for place: Int, in count: Int) -> Bool {
    guard case .counter(let ledger?, _) = self else { return true }
    let slots = (count - CounterDialect.trailerSemaphores) / 2
    return place < slots && Int(ledger) == slots + place && count == 2 * slots + CounterDialect.trailerSemaphores
  }
}
