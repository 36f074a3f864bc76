/// A lease in memory.
///
/// Its truth is the record; this is what makes answers fast.
final class Lease: Deadlined {
  enum State: Equatable {
    case held
    case cooling
    /// Killed in the middle of taking or giving back where the kernel cannot tell: counted as taken, held by nobody.
    case suspect
    case ended(EndReason)
  }

  let id: LeaseID
  /// Its record; another one after a conversion.
  var cell: Int
  let key: LockKey
  /// The lock it stands on; none once it ended.
  var lock: Lock?
  /// Where it stands among its lock's holders.
  var holderIndex = -1
  var state = State.held {
    didSet {
      if oldValue == .cooling { lock?.cooling -= 1 }
      if state == .cooling { lock?.cooling += 1 }
    }
  }
  var mode: LockMode
  let count: Int
  var units: Int
  let fence: Int64
  let grantedAt: MonotonicInstant
  /// Nanoseconds, 0 for none; as in the record.
  var deadline: Int64
  /// When the service looks at it next: the deadline, or the end of a grace.
  var due: Int64
  /// The end of the grace that it got after a restart, until it is renewed or bound anew; 0 when it got none.
  var graceEnd: Int64 = 0
  var endedAt: Int64 = 0
  var queuePosition = -1
  var ttl: TimeSpan
  let cooldown: TimeSpan
  let waited: TimeSpan
  let bindsConnection: Bool
  /// Never ends by itself (`undo=false`).
  let isEndless: Bool
  /// Whether its end is not remembered.
  var leavesNoTrace = false
  /// Whether the grant put the asked limit into force.
  var limitApplied: Bool?
  /// The connection it is bound to; 0 when it is not, or when that was lost in a restart.
  var connection: ConnectionID = 0
  /// The process it is bound to.
  var bond: ProcessBond?
  /// Set while an operator ends it, and after.
  var breaking: BreakNote?
  var peer: Peer
  /// Whose it is; not in the record, so unknown after a restart.
  var account: CallerAccount?
  /// What the request that took it was a part of; unknown after a restart, as its account is.
  var trace = TraceContext.none
  var owner: String?
  var idempotencyKey: String?
  let fingerprint: UInt64
  var textCell: UInt32
  /// What its end adds to the set's semaphores, on leases of raw operations.
  var adjustments: [Operation] = []
  /// When its set was last written at the grant, in seconds; on native sets.
  var setChanged: Int64 = 0
  /// Hears of its end.
  var client: (any LeaseClient)?
  /// The fence that its parts have, on leases of several: its own until it is transferred.
  var group: Int64
  /// What it has of other locks, on leases of several.
  var parts: [Lease] = []
  /// The lease it is a part of: that one has the deadline, the binding and the holder.
  var head: Lease?
  /// Who waits for its upgrade.
  var upgrade: Waiter?

  /// A lease on a lock.
  init(
    _ record: LeaseRecord, cell: Int, lock: Lock, key: LockKey? = nil, owner: String? = nil,
    idempotencyKey: String? = nil
  ) {
    id = record.id
    self.cell = cell
    self.lock = lock
    self.key = key ?? lock.key
    mode = record.mode
    count = record.count
    units = record.units
    fence = record.fence
    group = record.fence
    grantedAt = record.grantedAt
    deadline = record.deadline
    due = record.deadline
    endedAt = Int64(clamping: record.endedAt.magnitude)
    if record.endedAt < 0 { breaking = BreakNote(reason: nil, by: nil) }
    ttl = record.ttl
    cooldown = record.cooldown
    waited = record.waited
    bindsConnection = record.bindsConnection
    isEndless = record.isEndless
    peer = record.peer
    self.owner = owner
    self.idempotencyKey = idempotencyKey
    fingerprint = record.fingerprint
    textCell = record.textCell
  }

  /// What it has of its lock.
  var share: Share { Share(mode, units: units) }

  /// Whether its holder may still count on it.
  var isHeld: Bool { state == .held }

  /// Whether it ends with something, so that it may do without a deadline.
  var isBound: Bool { bindsConnection || bond != nil }

  /// When it ends by itself unless somebody renews it or takes it up again, in nanoseconds; 0 for never.
  var end: Int64 { isAdrift && due > 0 && (deadline == 0 || due < deadline) ? due : deadline }

  /// Whether what it is bound to is gone, or was lost in a restart and not found again yet.
  var isAdrift: Bool {
    if let bond { return bond.process?.hasEnded ?? true }
    return bindsConnection && connection == 0
  }
}

/// A lock in memory.
final class Lock {
  /// Its name; of a native lock, the first that was used for it.
  let key: LockKey
  let cell: Int
  let set: BankID
  var layout: LockLayout
  let dialect: any LockDialect
  /// The bank of an own lock.
  let bank: Bank?
  /// The set of a native lock.
  let native: NativeSet?
  /// All units; `nil` where a native program may have set them.
  ///
  /// Of `php:` sets known while somebody is counted, because PHP sets it only when nobody is.
  var capacity: Int?
  var textCell: UInt32
  var holders: [Lease] = []
  /// Units out on leases, cooling ones included.
  var unitsOut = 0
  /// How many of its holders are over for those who had them, and cool down.
  var cooling = 0
  var queue = WaitQueue()
  var lastUse: Int64
  var lastFence: Int64?
  /// Tells its states apart.
  var version: UInt64 = 0
  /// Drift that was reported already.
  var seenExcess = 0
  var seenSurplus = 0
  /// Who wants to hear of the next one.
  var watches: [WatchID] = []
  /// The waits of threads in the kernel on behalf of the queue, in the order they began.
  var waits: [(number: Int, share: Share)] = []
  /// Whether the queue is looked at every few milliseconds, because every waiting thread is busy.
  var isPolled = false
  /// Counts it for who made it; nobody's after a restart.
  var claim: CallerClaim?
  /// What the kernel could not take back of it yet.
  var debts = 0
  /// Whether the request that found it last made its set.
  var wasJustMade = false
  /// Somebody wrote its values: nothing is granted until it is removed.
  ///
  /// Set by ``Ledger/damage(_:_:units:_:at:)`` alone.
  var isDamaged = false
  /// What natives had of each counter at the last look.
  var natives: [LeaseCounter: Int] = [:]
  /// Whether a thread that waited in the kernel got units since the last look.
  var tookWaiting = false

  init(key: LockKey, cell: Int, bank: Bank, place: Int, kind: LockKind, textCell: UInt32, lastUse: Int64) {
    self.key = key
    self.cell = cell
    self.bank = bank
    native = nil
    set = bank.id
    layout = .named(kind)
    dialect = NamedDialect(place: place)
    capacity = kind.limit ?? Limits.readerUnits
    self.textCell = textCell
    self.lastUse = lastUse
  }

  init(
    key: LockKey, cell: Int, native: NativeSet, semaphore: Int, layout: LockLayout, capacity: Int?, textCell: UInt32,
    lastUse: Int64
  ) {
    self.key = key
    self.cell = cell
    self.native = native
    bank = nil
    set = native.id
    self.layout = layout
    dialect = layout.dialect(semaphore)
    self.capacity = capacity
    self.textCell = textCell
    self.lastUse = lastUse
  }

  /// Whether no lease stands on it, nobody waits, and the kernel has all of it back.
  var isIdle: Bool { holders.isEmpty && queue.isEmpty && debts == 0 }

  /// Whether the kernel's values tell what is out on leases.
  var isExact: Bool {
    switch layout {
    case .counter(ledger: nil, _), .operations: false
    case .named, .php, .apache, .counter: true
    }
  }

  /// What it is, with the limit where that is known.
  var kind: LockKind {
    switch layout {
    case .named(let kind): kind
    case .apache: .readersWriter
    case .php, .counter, .operations: capacity.map { .counting(limit: $0) } ?? .slots
    }
  }

  /// The most units that one lease can have.
  var unitsMaximum: Int { bank == nil ? layout.unitsMaximum : capacity ?? 0 }

  /// What a request takes from the semaphore.
  @inline(__always)
  func share(_ mode: LockMode, count: Int) -> Share {
    if case .named(.readersWriter) = layout { return Share(mode, units: mode == .exclusive ? capacity ?? 0 : 1) }
    return Share(mode, units: count)
  }

  /// Whether so many more units may be out on leases, as far as the ledger knows: of native locks only the kernel does.
  @inline(__always)
  func hasRoom(for units: Int) -> Bool { bank == nil || unitsOut + units <= capacity ?? .max }

  var binding: SemaphoreBinding {
    SemaphoreBinding(
      key: set.key, id: set.set, semaphoreCount: native?.count ?? NamedDialect.semaphoresPerBank,
      semaphore: dialect.semaphore, companion: dialect.companion)
  }
}

/// How a lock lies in its set: what its record says, and what makes its dialect.
enum LockLayout: Hashable {
  /// Leasehold's own, in a bank.
  case named(LockKind)
  /// PHP's three semaphores.
  case php
  /// One of the sessions' numbers in a set of `count`.
  case apache(count: Int)
  /// One semaphore, with a ledger where the set is of our making.
  case counter(ledger: Int?, isPath: Bool)
  /// No lock of anybody's: what the leases on raw operations of a set stand on.
  case operations

  /// In place of a semaphore's number where there is no lock: none has it, as SEMMSL is at most 32000 (semctl(2)).
  static let operationsNumber = 65_535

  /// The dialect of the lock at a place or semaphore.
  func dialect(_ semaphore: Int) -> any LockDialect {
    switch self {
    case .named: NamedDialect(place: semaphore)
    case .php: PHPDialect()
    case .apache(let count): ApacheDialect(reader: semaphore, of: count)
    case .counter(let ledger, _): CounterDialect(semaphore: semaphore, ledger: ledger)
    case .operations: CounterDialect(semaphore: semaphore, ledger: nil)
    }
  }

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

  /// Whether what a lock at a place counts in, if it does, is where it belongs in a set of `count`.
  func hasRoom(for place: Int, in count: Int) -> Bool {
    guard case .counter(let ledger?, _) = self else { return true }
    let slots = (count - CounterDialect.trailerSemaphores) / 2
    return place < slots && ledger == slots + place && count == 2 * slots + CounterDialect.trailerSemaphores
  }

  /// The most units that one lease may have, as the kernel counts them.
  var unitsMaximum: Int {
    switch self {
    case .php, .apache: PHPDialect.unitsMaximum
    case .named, .counter, .operations: Limits.slots
    }
  }

  /// The prefix of its names; `nil` for own locks.
  var dialectName: String? {
    switch self {
    case .named, .operations: nil
    case .php: "php"
    case .apache: "apache"
    case .counter(_, let isPath): isPath ? "path" : "sysv"
    }
  }

  /// Whether answers tell if the asked limit was put into force.
  var tellsLimit: Bool {
    switch self {
    case .php, .counter(_, isPath: true): true
    case .named, .apache, .counter, .operations: false
    }
  }

  /// Whether every waiter sleeps in the kernel by itself, because native programs of the kind count waiters.
  var waitsOneByOne: Bool {
    if case .counter(_, isPath: true) = self { true } else { false }
  }
}

/// A set that native programs use too, as far as leases or waiters of ours stand on it.
final class NativeSet {
  let id: BankID
  let count: Int
  /// Locks by the semaphore that names them.
  var locks: [Int: Lock] = [:]
  /// How it looked last, once a lease stands on it.
  var trace: SetTrace?
  /// Who changed semaphores with leases last, and to what, at that look.
  var seen: [Int: SeenSemaphore] = [:]
  /// What semaphores with leases have, besides what native programs hold, when all leases on them have ended: the least
  /// and the most that looks found, since a lease stands on them.
  var settled: [Int: ClosedRange<Int>] = [:]
  /// Whether the last look could not tell yet what the set's time moved for.
  var isUndecided = false

  init(id: BankID, count: Int) {
    self.id = id
    self.count = count
  }

  /// Whether leases stand on it.
  var hasLeases: Bool { locks.values.contains { !$0.holders.isEmpty } }
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
  var freePlaces: UInt64 = .max
  /// A bit for each place whose values had to be put right: native programs may still take it for what it was, so it is
  /// used again when there is no other.
  var mendedPlaces: UInt64 = 0
  var locks: [Lock?] = Array(repeating: nil, count: NamedDialect.locksPerBank)

  init(id: BankID) { self.id = id }

  var isEmpty: Bool { freePlaces == .max }
  var hasRoom: Bool { freePlaces != 0 }

  func takePlace() -> Int {
    let clean = freePlaces & ~mendedPlaces
    let place = (clean != 0 ? clean : freePlaces).trailingZeroBitCount
    freePlaces &= ~(1 << UInt64(place))
    return place
  }

  /// Takes a place out of use for as long as this daemon lives.
  func block(_ place: Int) { freePlaces &= ~(1 << UInt64(place)) }

  func freePlace(_ place: Int) {
    locks[place] = nil
    freePlaces |= 1 << UInt64(place)
  }
}
