/// The name of a lock, and for a native one where it leads.
public struct LockName: Sendable {
  /// The lock's key.
  public var key: LockKey
  /// The binding of a native lock; `nil` for an own one.
  public var native: NativeRequest?

  /// A name as callers write it.
  public init(_ key: LockKey, _ native: NativeRequest? = nil) {
    self.key = key
    self.native = native
  }
}

/// A lock, and how much of it.
public struct Want: Sendable {
  /// The lock.
  public var lock: LockName
  /// Alone or shared.
  public var mode: LockMode = .exclusive
  /// The slots of a counting lock, 1...32767; `nil` for a readers-writer lock.
  public var limit: Int?
  /// Slots taken at once, 1...32767.
  public var count = 1
  /// The names of the slots, where the caller gives some.
  public var slots: SlotNames?

  /// The whole of a readers-writer lock.
  public init(_ lock: LockName) { self.lock = lock }
}

/// One lock or several, and what the lease on them shall be.
///
/// Checked values only: ranges were checked where the request was read.
public struct AcquireRequest: Sendable {
  /// The lock, of several the first.
  public var want: Want
  /// The other locks, at most ``Limits/wants`` - 1: all are taken at once or none.
  public var others: [Want]
  /// The time that the lease lives without being renewed; zero means no deadline, for bound leases only.
  public var ttl: TimeSpan
  /// The time to queue; zero means not at all.
  public var wait: TimeSpan
  /// Refuse at once when that many wait already.
  public var maxWaiters: Int?
  /// Free text shown to every caller, at most ``Limits/ownerBytes``.
  public var owner: String?
  /// The holder's first note, and the group of which it is the newest.
  public var remarks: HolderRemarks?
  /// True when the lease ends with the caller's connection.
  public var bindsConnection: Bool
  /// The process that the lease ends with.
  public var process: ProcessBinding?
  /// The time for which the slots stay taken after the lease expired or was broken.
  public var cooldown: TimeSpan
  /// The time from the grant on for which the slots stay taken even when the lease ends earlier.
  public var holdAtLeast: TimeSpan
  /// Leases that the caller keeps while it waits: what tells a wait that would never end.
  public var holding: [LeaseID]
  /// True when the end of the lease is not remembered: only the service itself knows of it.
  public var leavesNoTrace: Bool
  /// A retry with the same key gets the same lease.
  public var idempotencyKey: String?
  /// Where the request came from.
  public var caller: Caller
}

extension AcquireRequest {
  /// A request for a lock with everything else at its default.
  public init(key: LockKey, ttl: TimeSpan, caller: Caller) {
    self.init(Want(LockName(key)), ttl: ttl, caller: caller)
  }

  /// A request for what is wanted: whole at once, because one that is filled in later is copied on the way.
  public init(
    _ want: Want, others: [Want] = [], ttl: TimeSpan, wait: TimeSpan = .zero, maxWaiters: Int? = nil,
    owner: String? = nil, remarks: HolderRemarks? = nil, bindsConnection: Bool = false, cooldown: TimeSpan = .zero,
    holdAtLeast: TimeSpan = .zero, holding: [LeaseID] = [], idempotencyKey: String? = nil, caller: Caller
  ) {
    self.init(
      want: want, others: others, ttl: ttl, wait: wait, maxWaiters: maxWaiters, owner: owner,
      remarks: remarks, bindsConnection: bindsConnection, process: nil, cooldown: cooldown, holdAtLeast: holdAtLeast,
      holding: holding, leavesNoTrace: false, idempotencyKey: idempotencyKey, caller: caller)
  }

  /// One request for each lock: the first is this one, the others carry no more than what they want and the ttl.
  var each: [AcquireRequest] {
    var first = self
    first.others = []
    return [first] + others.map { AcquireRequest($0, ttl: ttl, caller: caller) }
  }

  /// The kind of lock this request makes or expects.
  public var kind: LockKind { limit.map { .counting(limit: $0) } ?? .readersWriter }

  /// Differs, for all practical purposes, when anything but the wait differs: tells a retry from another request.
  ///
  /// Its high half is the caller's.
  public var fingerprint: UInt64 {
    var hash = RequestHash()
    hash.mix(key.text)
    hash.mix(UInt64(mode.rawValue) | UInt64(limit ?? 0) << 8 | UInt64(count) << 32 | (bindsConnection ? 1 << 60 : 0))
    hash.mix(UInt64(bitPattern: ttl.nanoseconds))
    hash.mix(UInt64(bitPattern: cooldown.nanoseconds))
    if holdAtLeast > .zero { hash.mix(UInt64(bitPattern: holdAtLeast.nanoseconds) | 1 << 62) }
    if let process {
      hash.mix(UInt64(UInt32(bitPattern: process.name)) | 1 << 61)
      if let grace = process.stopGrace { hash.mix(UInt64(bitPattern: grace.nanoseconds)) }
      if process.process.stamp.isCgroup { hash.mix(process.process.stamp.started) }
    }
    hash.mix(owner ?? "")
    if let newest = remarks?.newest { hash.mix(newest) }
    native?.mix { hash.mix($0) }
    if let slots = want.slots { for name in slots.all + [","] + slots.wanted { hash.mix(name) } }
    return hash.fingerprint(of: caller)
  }
}

// What is wanted of the first lock.
extension AcquireRequest {
  /// The lock's key.
  public var key: LockKey { want.lock.key }

  /// The binding of a native lock; `nil` for an own one.
  public var native: NativeRequest? {
    get { want.lock.native }
    set { want.lock.native = newValue }
  }

  /// Alone or shared.
  public var mode: LockMode {
    get { want.mode }
    set { want.mode = newValue }
  }

  /// The slots of a counting lock; `nil` for a readers-writer lock.
  public var limit: Int? {
    get { want.limit }
    set { want.limit = newValue }
  }

  /// Slots taken at once.
  public var count: Int {
    get { want.count }
    set { want.count = newValue }
  }
}
