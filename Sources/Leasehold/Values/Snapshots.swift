public import SysVTypes

/// Where a lock lives in the kernel.
public struct SemaphoreBinding: Hashable, Sendable {
  /// The SysV key of the set.
  public var key: Int32
  /// The identifier of the set.
  public var id: Int32
  /// The number of semaphores the set has.
  public var semaphoreCount: Int
  /// The number of the semaphore that counts free units; on `apache:` locks the one that counts readers.
  public var semaphore: Int
  /// The number of the semaphore that counts writers, on `apache:` locks.
  public var companion: Int?
}

/// A lease as every caller may see it on its lock, at one instant: with nothing by which it could be ended.
///
/// An object, because it is large and goes through many hands: a word each. Only the service that made it fills it in,
/// before another one has it.
public class Holder: @unchecked Sendable {
  /// The first 40 bits of the lease's id, for its short name.
  public final let refNumber: UInt64
  /// Alone or shared.
  public final let mode: LockMode
  /// Slots taken.
  public final let count: Int
  /// Grows with every grant on this host.
  public final let fence: Int64
  /// Free text of the holder.
  public final let owner: String?
  /// True when it ends with its connection.
  public final var bindsConnection: Bool
  /// The time to live that a renewal without one uses; zero means no deadline.
  public final let ttl: TimeSpan
  /// When it was granted.
  public final let grantedAt: MonotonicInstant
  /// When it ends by itself; `nil` means never.
  public final var deadline: MonotonicInstant?
  /// The connection it came on.
  public final let peer: Peer
  /// The process that it ends with, as its client named it, 0 for the client itself; `nil` for none.
  public final let process: Int32?
  /// The time from TERM to KILL when the process is stopped before its slots go on; `nil` when it is not.
  public final var stopGrace: TimeSpan?
  /// True from TERM on, until a renewal.
  public final var isStopping = false
  /// The operator that ends it and the reason, while one does.
  public final var breaking: BreakNote?
  /// The remarks that few holders have.
  public final var remarks: HolderRemarks?
  /// The time from its grant on for which its slots stay taken even when it ends earlier; zero for none.
  public final let atLeast: TimeSpan
  /// The state of its holder.
  public final var state: HolderState
  /// The names of its slots, on a lock whose slots have names.
  public final let slots: [String]

  /// Tells of a holder; what few leases have may be left out.
  public init(
    id: LeaseID, mode: LockMode, count: Int, fence: Int64, owner: String?, bindsConnection: Bool = false, ttl: TimeSpan,
    grantedAt: MonotonicInstant, deadline: MonotonicInstant? = nil, peer: Peer = .unknown, process: Int32? = nil,
    breaking: BreakNote? = nil, remarks: HolderRemarks? = nil, atLeast: TimeSpan = .zero, state: HolderState = .held,
    slots: [String] = []
  ) {
    (refNumber, self.mode, self.count, self.fence, self.owner) = (id.high >> 24, mode, count, fence, owner)
    (self.bindsConnection, self.ttl, self.atLeast) = (bindsConnection, ttl, atLeast)
    (self.grantedAt, self.deadline, self.peer, self.process) = (grantedAt, deadline, peer, process)
    (self.breaking, self.remarks, self.state, self.slots) = (breaking, remarks, state, slots)
  }

  /// The short name shown to every caller.
  public final var ref: String { LeaseID(high: refNumber << 24, low: 0).ref }
  /// True when an operator ends it: the deadline cannot be moved.
  public final var isBreaking: Bool { breaking != nil }
}

/// A lease as it was at one instant, as its holder may see it.
public final class LeaseSnapshot: Holder, @unchecked Sendable {
  /// The capability; never put into listings.
  public let id: LeaseID
  /// The lock's name.
  public let key: LockKey
  /// The kind of the lock.
  public let kind: LockKind
  /// Units taken from the semaphore: on a readers-writer lock a writer takes all, a reader one.
  public let units: Int
  /// The time for which the slots stay taken after it expires.
  public var cooldown: TimeSpan
  /// The time for which its holder queued.
  public var waited: TimeSpan
  /// True when this answers a retry.
  public var replayed = false
  /// True when the asked limit was put into force by this grant, on native locks that have one.
  public let limitApplied: Bool?
  /// The kernel's side; `nil` on an engine without semaphores, and on a lease that is over.
  public var binding: SemaphoreBinding?
  /// The semaphores that its end changes, on leases of raw operations; `nil` on leases of locks.
  public var adjusts: [Int]?

  /// True when this answers a conversion.
  public var isConverted = false
  /// The trace of the request that took it.
  public let trace: TraceContext
  /// The parts that it has of each lock, on leases of several; empty on a lease of one.
  public var parts: [LeasePart]

  /// The number of times that its holder had been told of it by then: a grant and each retry with its Idempotency-Key
  /// is once.
  public var stamp: UInt64

  /// Makes a snapshot; what few leases have may be left out.
  public init(
    id: LeaseID, key: LockKey, kind: LockKind, mode: LockMode, count: Int, units: Int, fence: Int64, owner: String?,
    bindsConnection: Bool = false, ttl: TimeSpan, cooldown: TimeSpan = .zero, grantedAt: MonotonicInstant,
    deadline: MonotonicInstant? = nil, waited: TimeSpan = .zero, limitApplied: Bool? = nil, peer: Peer = .unknown,
    binding: SemaphoreBinding? = nil, adjusts: [Int]? = nil, process: Int32? = nil, breaking: BreakNote? = nil,
    remarks: HolderRemarks? = nil, atLeast: TimeSpan = .zero, state: HolderState = .held, trace: TraceContext = .none,
    parts: [LeasePart] = [], stamp: UInt64 = 1, slots: [String] = []
  ) {
    (self.id, self.key, self.kind, self.units) = (id, key, kind, units)
    (self.cooldown, self.waited, self.limitApplied) = (cooldown, waited, limitApplied)
    (self.binding, self.adjusts, self.trace, self.parts, self.stamp) = (binding, adjusts, trace, parts, stamp)
    super.init(
      id: id, mode: mode, count: count, fence: fence, owner: owner, bindsConnection: bindsConnection, ttl: ttl,
      grantedAt: grantedAt, deadline: deadline, peer: peer, process: process, breaking: breaking, remarks: remarks,
      atLeast: atLeast, state: state, slots: slots)
  }

  /// The grant that an answer hands over which tells of it.
  public var grant: Grant { Grant(lease: id, stamp: stamp) }
}

/// The remarks on a holder, which few have: an object, so that all others carry one empty word of it.
public final class HolderRemarks: Sendable {
  /// The holder's own text, at most ``Limits/noteBytes``; `nil` for none.
  public let note: String?
  /// The CPU time that the process of the lease and its children used since it asked; `nil` where it is not known.
  public let cpuTime: TimeSpan?

  /// The group within a lock of which a later request ends the waiters and asks the holders to yield; `nil` for none.
  public let newest: String?
  /// True when a later request of the group waited.
  public let isAskedToYield: Bool

  /// Remarks on a holder.
  public init(note: String?, cpuTime: TimeSpan? = nil, newest: String? = nil, isAskedToYield: Bool = false) {
    (self.note, self.cpuTime) = (note, cpuTime)
    (self.newest, self.isAskedToYield) = (newest, isAskedToYield)
  }

  /// The same with another note; `nil` when nothing is left to say.
  func noting(_ note: String?) -> HolderRemarks? {
    guard note != nil || newest != nil else { return nil }
    return HolderRemarks(note: note, newest: newest, isAskedToYield: isAskedToYield)
  }

  /// The same with the CPU time.
  package func using(_ cpuTime: TimeSpan) -> HolderRemarks {
    HolderRemarks(note: note, cpuTime: cpuTime, newest: newest, isAskedToYield: isAskedToYield)
  }
}

/// A lease on its way to its holder.
public struct Grant: Sendable, Equatable {
  /// The lease.
  public let lease: LeaseID
  /// Tells this grant from a later one of the same lease.
  public let stamp: UInt64
}

/// The state of a lease that has slots of its lock.
public enum HolderState: String, Sendable {
  /// A holder has it.
  case held
  /// It is over for its holder, and its slots cool down until its deadline.
  case cooling
  /// It is over for its holder, and its slots stay taken until its deadline, as it was to hold them so long at least.
  case kept
  /// It is over for its holder, and its slots stay taken until its process is gone.
  case stopping
  /// It has no holder, and nobody knows whether its slots are taken.
  case suspect
}

/// The part of a lease of several locks that it has of one of them.
public struct LeasePart: Sendable {
  /// The lock's name.
  public var key: LockKey
  /// The kind of the lock.
  public var kind: LockKind
  /// Alone or shared.
  public var mode: LockMode
  /// Slots taken.
  public var count: Int
  /// Units taken from the semaphore.
  public var units: Int
  /// The fence to use for what this lock protects: later than the lease's where it was added; 0 where nobody says.
  public var fence: Int64 = 0
  /// True when the asked limit was put into force by this grant, on native locks that have one.
  public var limitApplied: Bool?
  /// The kernel's side; `nil` on an engine without semaphores, and on a lease that is over.
  public var binding: SemaphoreBinding?
  /// The names of its slots, on a lock whose slots have names.
  public var slots: [String]

  /// Makes a part.
  public init(
    key: LockKey, kind: LockKind, mode: LockMode, count: Int, units: Int, limitApplied: Bool?,
    binding: SemaphoreBinding?, slots: [String] = []
  ) {
    self.slots = slots
    self.key = key
    self.kind = kind
    self.mode = mode
    self.count = count
    self.units = units
    self.limitApplied = limitApplied
    self.binding = binding
  }
}

/// A waiter as listings show it.
public struct WaiterSnapshot: Sendable {
  /// Free text of the waiter.
  public var owner: String?
  /// Alone or shared.
  public var mode: LockMode
  /// Slots wanted.
  public var count: Int
  /// The connection it waits on.
  public var peer: Peer
  /// When it came.
  public var since: MonotonicInstant
  /// When it gives up.
  public var until: MonotonicInstant
  /// All locks that it wants, when it wants several; else empty.
  public var keys: [LockKey] = []
  /// True when its connection broke: its place is kept for a moment, for a retry with the same Idempotency-Key.
  public var isDetached = false
  /// The operations that it waits for, of one for raw operations; else empty.
  public var steps: [SemaphoreOperation] = []
}

/// The requests before a waiter when its wait began; an object, so that other waiters pay for no more than its place.
public final class QueueNote: Sendable {
  /// One of the holders.
  public let holder: LeaseSnapshot?
  /// The number of its holders.
  public let holders: Int
  /// The number in the queue, the waiter included.
  public let waiters: Int

  /// Notes the requests before.
  public init(holder: LeaseSnapshot?, holders: Int, waiters: Int) {
    self.holder = holder
    self.holders = holders
    self.waiters = waiters
  }
}

/// A lock as it was at one instant.
public struct LockSnapshot: Sendable {
  /// The lock's name.
  public var key: LockKey
  /// The value of the limit.
  public var kind: LockKind
  /// Units that are free in the kernel (readers that hold it, on `apache:` locks); `nil` where the set could not be
  /// read.
  public var availableUnits: Int?
  /// All units of the lock; `nil` where a native program may have set them.
  public var capacity: Int?
  /// Units out on leases of this service.
  public var heldUnits: Int
  /// The fence of the last grant; `nil` when there was none since the lock was made.
  public var fence: Int64?
  /// The holders, and the leases that cool down; cut to ``listed`` entries.
  public var holders: [LeaseSnapshot]
  /// The number of its holders; leases that cool down are not among them.
  public var holderCount: Int
  /// The number of leases that are over for their holders while their slots cool down.
  public var coolingCount: Int
  /// The waiters, in order; cut to ``listed`` entries.
  public var waiters: [WaiterSnapshot]
  /// The number of its waiters.
  public var waiterCount: Int
  /// The kernel's side; `nil` on an engine without semaphores, and on a lease that is over.
  public var binding: SemaphoreBinding?
  /// The process that changed the semaphore last, as GETPID tells; `nil` when unknown or invisible.
  public var lastPID: Int32?
  /// Processes that sleep on the semaphore in the kernel, as GETNCNT tells.
  public var kernelWaiters: Int?

  /// The holders and the waiters that an answer lists unless it is asked for more.
  public static let listed = 100
  /// The most holders and waiters that one answer lists.
  public static let listedMax = 20_000

  /// Units held by processes that did not come through this service; `nil` where nobody can know.
  public var nativeUnits: Int?
  /// Free slots as callers count them: on a readers-writer lock 1 when a writer would get in, else 0.
  public var available: Int?
  /// Tells this state from others.
  public var tag = LockTag(epoch: 0, version: 0)
  /// Slots that may be taken or not, because the service was killed while it took or gave them back.
  public var suspects = 0
  /// True when another program wrote its values, so that nothing is granted until it is removed by force.
  public var isDamaged = false
  /// The terms that an operator set for it; `nil` for none.
  public var terms: LockTerms?
  /// The other locks for which the first in the queue waits, while this one has room for it.
  public var queuedFor: [LockKey] = []
  /// When the first in its queue came, which waits longest; `nil` when no request waits.
  public var firstCame: MonotonicInstant?
  /// The names of the programs that the processes of holders, waiters and natives run, where they can be seen.
  public var programs: [Int32: String] = [:]
}

/// The terms of a counting lock that an operator set, besides its limit.
public struct LockTerms: Sendable {
  /// True when the limits of callers do not count.
  public var isPinned: Bool
  /// The slots that are in use beyond the limit: as many come back before anything is granted.
  public var owed: Int
  /// The names of its slots; empty where they have none.
  public var slots: [String] = []
  /// Those of them that no lease has.
  public var freeSlots: [String] = []
}

/// One page of a listing.
public struct Page<Element: Sendable>: Sendable {
  /// The entries.
  public var entries: [Element]
  /// Where the next page begins; `nil` after the last.
  public var nextCursor: Int?

  /// Makes a page.
  public init(entries: [Element], nextCursor: Int?) {
    self.entries = entries
    self.nextCursor = nextCursor
  }
}

/// The choice of what a listing holds.
public struct ListFilter: Sendable {
  /// The most entries, 1...1000.
  public var limit = 100
  /// Where to begin: a `nextCursor` of the page before.
  public var cursor = 0
  /// Only names that begin with this.
  public var keyPrefix: String?
  /// Only leases of this owner.
  public var owner: String?
  /// Only locks in this state.
  public var state: LockState?
  /// Only what its caller may reach.
  public var confinement: Confinement?
  /// The most records that are looked at: a page may be short.
  public var records = 20_000

  /// Everything.
  public init() {}
}

/// The use that is made of a lock, for listings.
public enum LockState: String, Sendable, CaseIterable {
  /// A holder has it.
  case held
  /// It has no holder, and nothing cools down.
  case free
  /// A waiter queues for it.
  case waited
  /// Slots of it cool down.
  case cooling
  /// Its values were written by another program.
  case damaged
}
