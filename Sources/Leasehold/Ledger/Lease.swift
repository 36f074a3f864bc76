import SysVTypes

/// A lease in memory.
///
/// Its truth is the record; this is what makes answers fast.
final class Lease: Deadlined {
  enum State: Equatable {
    case held
    /// Over for its holder, for a reason, while its slots stay taken: they cool down, or are kept for as long as it was
    /// to hold them at least.
    case cooling(EndReason, isKept: Bool)
    /// Killed in the middle of taking or giving back where the kernel cannot tell: counted as taken, without a holder.
    case suspect
    case ended(EndReason)
  }

  /// The kind of a lease on its lock.
  enum Kind {
    /// On one lock.
    case single
    /// On several locks: of the first by itself, of the others by its parts.
    case whole(Parts)
    /// A part of the lease that has the deadline, the binding and the holder.
    case part(of: Lease)
    /// On raw operations: what its end adds to the set's semaphores.
    case operations([SemaphoreOperation])
  }

  /// The parts of a lease of several on the locks after its first.
  final class Parts {
    var leases: [Lease] = []
    /// The fence in their records: that of the whole until it is transferred.
    let fence: Int64

    init(fence: Int64) { self.fence = fence }
  }

  /// The words of its request that its record does not have: unknown after a restart.
  struct Asked {
    /// True when its end is not remembered.
    var leavesNoTrace = false
    /// True when the grant put the asked limit into force.
    var limitApplied: Bool?
    /// The account it counts for.
    var account: CallerAccount?
    /// The trace of the request that took it.
    var trace = TraceContext.none
  }

  /// Its record, as it stands in the ledger; without its end, which is ``breaking``, where an operator ends it.
  var record: LeaseRecord
  /// Where the record is; elsewhere after a conversion.
  var cell: Int
  let key: LockKey
  var standing: Standing
  var asked = Asked()
  /// When the service looks at it next: the deadline, or the end of a grace.
  var due: Int64
  /// The end of the grace that it got after a restart, until it is renewed or bound anew; 0 when it got none.
  var graceEnd: Int64 = 0
  var queuePosition = -1
  /// The time from its grant on for which its slots stay taken even when it ends earlier; zero for none.
  var atLeast = TimeSpan.zero
  /// The number of times that its holder was told of it; see ``LeaseSnapshot/stamp``.
  var told: UInt32 = 1
  /// The connection it is bound to; 0 when it is not, or when that was lost in a restart.
  var connection: ConnectionID = 0
  /// The process it is bound to.
  var bond: ProcessBond?
  /// Set while an operator ends it, and after.
  var breaking: BreakNote?
  /// The remarks of its holder on itself; not in the record, so unknown after a restart.
  var remarks: HolderRemarks?
  var owner: String?
  var idempotencyKey: String?
  /// When its set was last written at the grant, in seconds; on native sets.
  var setChanged: Int64 = 0
  /// Hears of its end.
  var client: (any LeaseClient)?
  /// True when it stands alone, is one of several, or has several.
  var kind = Kind.single
  /// The waiter for its upgrade.
  var upgrade: Waiter?

  /// The lease of a record, on a lock that goes by `key`; it stands nowhere yet.
  init(_ record: LeaseRecord, cell: Int, key: LockKey, found state: State = .held) {
    self.record = record
    self.cell = cell
    self.key = key
    standing = Standing(state)
    due = record.deadline
    if record.endedAt < 0 {
      breaking = BreakNote(reason: nil, by: nil)
      self.record.endedAt = Int64(clamping: record.endedAt.magnitude)
    }
    // The ttl in its record is that of its grant.
    if record.isAttached, record.deadline == 0 { self.record.ttl = .zero }
  }

  /// Ends with a connection from now on; the record is still to hear of it.
  func attach(deadline: Int64, ttl: TimeSpan) {
    precondition(isHeld && bond == nil && !isEndless && !isPart, "what ends otherwise is not bound to a connection")
    if !bindsConnection { (record[.bound], record.isAttached) = (true, true) }
    (record.deadline, record.ttl) = (deadline, ttl)
  }

  /// The lock it stands on; none before its grant, and once it ended.
  @inline(__always)
  var lock: Lock? { standing.lock }

  @inline(__always)
  var state: State { standing.state }

  /// True when another lease is the one that its holder has.
  @inline(__always)
  var isPart: Bool { if case .part = kind { true } else { false } }

  /// The lease that its holder has: itself, or the one it is a part of.
  var whole: Lease { if case .part(let whole) = kind { whole } else { self } }

  /// The parts that it has of other locks; empty on a lease of one.
  var parts: [Lease] { if case .whole(let parts) = kind { parts.leases } else { [] } }

  /// The fence in the records of its first parts, by which they are found again.
  var groupFence: Int64 { if case .whole(let parts) = kind { parts.fence } else { fence } }

  /// Itself and its parts, one for each lock.
  var members: [Lease] { [self] + parts }

  /// True when it is of several locks, or a part of one.
  var isOfSeveral: Bool { if case .whole = kind { true } else { isPart } }

  /// The numbers that its end adds to the set's semaphores; empty but on raw operations.
  var adjustments: [SemaphoreOperation] { if case .operations(let adjustments) = kind { adjustments } else { [] } }

  /// The semaphores whose values its end changes, of one on raw operations; `nil` for others, and once it is over.
  var semaphoresAdjusted: [Int]? {
    guard lock != nil, case .operations(let adjustments) = kind else { return nil }
    return adjustments.map { Int($0.semaphore) }
  }

  /// The share that it has of its lock.
  var share: Share { Share(mode, units: units) }

  /// The units that its end gives back.
  var givesBack: Return {
    if case .operations(let adjustments) = kind { .adjustments(adjustments) } else { .share(share) }
  }

  /// True when its holder may still count on it.
  var isHeld: Bool { if case .held = state { true } else { false } }

  /// Until when its slots stay taken even when it ends earlier, in nanoseconds; 0 for none.
  var keptUntil: Int64 { atLeast > .zero ? (grantedAt + atLeast).nanoseconds : 0 }

  /// Its end for its holder, and whether its slots are kept, while they stay taken after that.
  var past: (reason: EndReason, isKept: Bool)? {
    if case .cooling(let reason, let isKept) = state { (reason, isKept) } else { nil }
  }

  /// True when it ends with something, so that it may do without a deadline.
  var isBound: Bool { bindsConnection || bond != nil }

  /// The time of its end unless a caller renews it or takes it up again, in nanoseconds; 0 for never.
  var end: Int64 { hasLostBinding && due > 0 && (deadline == 0 || due < deadline) ? due : deadline }

  /// True when what it is bound to is gone, or was lost in a restart and not found again yet.
  var hasLostBinding: Bool {
    if let bond { return bond.process?.hasEnded ?? true }
    return bindsConnection && connection == 0
  }
}

// What its record says.
extension Lease {
  var id: LeaseID { record.id }
  var fence: Int64 { record.fence }
  var count: Int { record.count }
  /// The slots with names that it has, a bit for each place of its lock's names.
  var slots: UInt64 { record.slots }
  var grantedAt: MonotonicInstant { record.grantedAt }
  var cooldown: TimeSpan { record.stops ? .zero : record.cooldown }
  var waited: TimeSpan { record.waited }
  var bindsConnection: Bool { record[.bound] }
  /// True when it was bound to a connection after its grant.
  var isAttached: Bool { record.isAttached }
  /// Never ends by itself (`undo=false`).
  var isEndless: Bool { record[.endless] }
  var fingerprint: UInt64 { record.fingerprint }

  var mode: LockMode { record.mode }
  var units: Int { record.units }

  /// Nanoseconds, 0 for none; as in the record.
  var deadline: Int64 { record.deadline }

  var endedAt: Int64 { record.endedAt }

  var textCell: UInt32 { record.textCell }

  var ttl: TimeSpan { record.ttl }

  var peer: Peer { record.peer }

  /// Returns true when the lease is a caller's own: taken with the same token, or without one by the same user of this
  /// host.
  ///
  /// After a restart a lease has forgotten its token, and belongs to no caller but an administrator.
  func belongs(to caller: Caller) -> Bool {
    if let token = caller.account?.token { return asked.account?.token == token }
    guard let uid = caller.peer.uid else { return false }
    return asked.account?.token == nil && peer.uid == uid
  }
}

extension IdempotencyScope {
  /// The hash of the request that a lease answers; `nil` without a key.
  init?(_ lease: Lease) {
    guard let key = lease.idempotencyKey else { return nil }
    self.init(lock: lease.key, key: key, door: UInt32(truncatingIfNeeded: lease.fingerprint >> 32))
  }
}
