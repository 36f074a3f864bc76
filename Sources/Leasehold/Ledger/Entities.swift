/// A lease in memory.
///
/// Its truth is the record; this is what makes answers fast.
final class Lease: Deadlined {
  enum State: Equatable {
    case held
    case cooling
    case ended(EndReason)
  }

  let id: LeaseID
  let cell: Int
  let key: LockKey
  /// The lock it stands on; none once it ended.
  var lock: Lock?
  /// Where it stands among its lock's holders.
  var holderIndex = -1
  var state = State.held
  let mode: LockMode
  let count: Int
  let units: Int
  let fence: Int64
  let grantedAt: MonotonicInstant
  /// Nanoseconds, 0 for none; as in the record.
  var deadline: Int64
  /// When the service looks at it next: the deadline, or the end of a grace.
  var due: Int64
  var endedAt: Int64 = 0
  var queuePosition = -1
  var ttl: TimeSpan
  let cooldown: TimeSpan
  let waited: TimeSpan
  let bindsConnection: Bool
  /// The connection it is bound to; 0 when it is not, or when that was lost in a restart.
  var connection: ConnectionID = 0
  var peer: Peer
  var owner: String?
  var idempotencyKey: String?
  let fingerprint: UInt64
  var textCell: UInt32
  /// Hears of its end.
  var client: (any LeaseClient)?

  init(_ record: LeaseRecord, cell: Int, lock: Lock, owner: String?, idempotencyKey: String?) {
    id = record.id
    self.cell = cell
    self.lock = lock
    key = lock.key
    mode = record.mode
    count = record.count
    units = record.units
    fence = record.fence
    grantedAt = record.grantedAt
    deadline = record.deadline
    due = record.deadline
    endedAt = record.endedAt
    ttl = record.ttl
    cooldown = record.cooldown
    waited = record.waited
    bindsConnection = record.bindsConnection
    peer = record.peer
    self.owner = owner
    self.idempotencyKey = idempotencyKey
    fingerprint = record.fingerprint
    textCell = record.textCell
  }

  /// What is remembered of a lease that ended before a restart.
  init(ended record: LeaseRecord, cell: Int, reason: EndReason) {
    id = record.id
    self.cell = cell
    key = LockKey(trusted: "")
    mode = record.mode
    count = record.count
    units = record.units
    fence = record.fence
    grantedAt = record.grantedAt
    deadline = record.deadline
    due = record.deadline
    endedAt = record.endedAt
    ttl = record.ttl
    cooldown = record.cooldown
    waited = record.waited
    bindsConnection = record.bindsConnection
    peer = record.peer
    fingerprint = record.fingerprint
    textCell = TextRecord.none
    state = .ended(reason)
  }

  /// Whether its holder may still count on it.
  var isHeld: Bool { state == .held }
}

/// A lock in memory.
final class Lock {
  let key: LockKey
  let cell: Int
  let bank: Bank
  let dialect: NamedDialect
  let kind: LockKind
  let capacity: Int
  var textCell: UInt32
  var holders: [Lease] = []
  /// Units out on leases, cooling ones included.
  var unitsOut = 0
  var queue = WaitQueue()
  var lastUse: Int64
  var lastFence: Int64?
  /// Units that a thread waits for in the kernel on behalf of the queue; 0 when none does.
  var unitsWaited = 0
  /// Whether the queue is looked at every few milliseconds, because every waiting thread is busy.
  var isPolled = false
  /// Somebody wrote the ledger's semaphore: nothing is granted until the set is removed.
  var isDamaged = false

  init(key: LockKey, cell: Int, bank: Bank, place: Int, kind: LockKind, textCell: UInt32, lastUse: Int64) {
    self.key = key
    self.cell = cell
    self.bank = bank
    dialect = NamedDialect(place: place)
    self.kind = kind
    capacity = kind.limit ?? Limits.readerUnits
    self.textCell = textCell
    self.lastUse = lastUse
  }

  /// Whether no lease stands on it and nobody waits.
  var isIdle: Bool { holders.isEmpty && queue.isEmpty }

  /// What a request takes from the semaphore.
  func units(_ mode: LockMode, count: Int) -> Int {
    switch kind {
    case .readersWriter: mode == .exclusive ? capacity : 1
    case .counting: count
    }
  }

  var binding: SemaphoreBinding {
    SemaphoreBinding(
      key: bank.id.key, id: bank.id.set, semaphoreCount: NamedDialect.semaphoresPerBank, semaphore: dialect.semaphore)
  }
}

/// A semaphore set with room for 64 own locks.
final class Bank {
  let id: BankID
  /// A bit for each free place.
  var freePlaces: UInt64 = .max
  var locks: [Lock?] = Array(repeating: nil, count: NamedDialect.locksPerBank)

  init(id: BankID) { self.id = id }

  var isEmpty: Bool { freePlaces == .max }
  var hasRoom: Bool { freePlaces != 0 }

  func takePlace() -> Int {
    let place = freePlaces.trailingZeroBitCount
    freePlaces &= ~(1 << UInt64(place))
    return place
  }

  func freePlace(_ place: Int) {
    locks[place] = nil
    freePlaces |= 1 << UInt64(place)
  }
}
