/// The name by which a request means a lease of another caller.
public enum LeaseName: Hashable, Sendable {
  /// By the whole id, which its holder has.
  case id(LeaseID)
  /// By its first ten digits, which every caller sees.
  case ref(UInt64)

  /// Reads 32 or ten hexadecimal digits in lower case; `nil` for anything else.
  public init?<Bytes: Collection>(hexadecimal bytes: Bytes) where Bytes.Element == UInt8 {
    if let id = LeaseID(hexadecimal: bytes) {
      self = .id(id)
    } else if bytes.count == 10, let id = LeaseID(hexadecimal: Array(bytes) + [UInt8](repeating: 0x30, count: 22)) {
      self = .ref(id.high >> 24)
    } else {
      return nil
    }
  }
}

/// Ends a holder's lease by force, now or after a grace.
public struct BreakRequest: Sendable {
  /// The lease.
  public var lease: LeaseName
  /// The time that its holder still has to finish; zero ends it now.
  public var after = TimeSpan.zero
  /// Free text for the holder, at most ``Limits/reasonBytes``.
  public var reason: String?
  /// Only a lease of this user's, when given.
  public var onlyOf: UInt32?
  /// The caller.
  public var caller: Caller

  /// Ends a lease now.
  public init(_ lease: LeaseName, caller: Caller) {
    self.lease = lease
    self.caller = caller
  }
}

/// A note that a lease is being broken, or was: by which operator, and why.
///
/// An object, so that all others carry one empty word of it.
public final class BreakNote: Sendable {
  /// The operator's reason; `nil` for none, or when it was lost in a restart.
  public let reason: String?
  /// The operator, as ``Caller/inWords`` tells; `nil` when that was lost in a restart.
  public let by: String?
  /// When the lease ends; only in what is told of the break.
  public let end: MonotonicInstant?

  /// Notes the operator and the reason.
  public init(reason: String?, by: String?, end: MonotonicInstant? = nil) {
    self.reason = reason
    self.by = by
    self.end = end
  }
}

/// The outcome of a break.
public struct BreakOutcome: Sendable {
  /// The lock.
  public var key: LockKey
  /// The lease's short name.
  public var ref: String
  /// Free text of its holder.
  public var owner: String?
  /// The time of its end; in the past when it has ended.
  public var end: MonotonicInstant
  /// The reason that its holder is told.
  public var reason: String?
  /// The operator that ends it, as its holder is told.
  public var by: String?
}

/// Binds a lease to a connection, in place of the one it was bound to.
public struct AttachRequest: Sendable {
  /// The lease.
  public var lease: LeaseID
  /// The time to live from now on, zero for no deadline; `nil` keeps the deadline of a lease that was bound to a
  /// connection, and takes that of any other.
  public var ttl: TimeSpan?
  /// The caller, with the connection.
  public var caller: Caller

  /// Binds a lease to the caller's connection.
  public init(_ lease: LeaseID, caller: Caller) {
    self.lease = lease
    self.caller = caller
  }
}

/// The leases and waiters that were taken back with an Idempotency-Key.
///
/// The short names of leases that it had got, and the number of its requests that left their queues, those whose place
/// was kept included.
public typealias CancelOutcome = (leases: [String], waiters: Int)

/// Adds locks to a lease that is held.
public struct AddRequest: Sendable {
  /// The lease.
  public var lease: LeaseID
  /// The locks, with those that it has at most ``Limits/wants``.
  public var wants: [Want]
  /// The caller.
  public var caller: Caller

  /// Adds locks.
  public init(_ lease: LeaseID, _ wants: [Want], caller: Caller) {
    (self.lease, self.wants, self.caller) = (lease, wants, caller)
  }
}

/// Hands a lease over under another id.
public struct TransferRequest: Sendable {
  /// The lease.
  public var lease: LeaseID
  /// Free text of the new holder; `nil` keeps the old one.
  public var owner: String?
  /// The time to live from now on; `nil` keeps the deadline.
  public var ttl: TimeSpan?
  /// True when it ends with the caller's connection from now on.
  public var bindsConnection = false
  /// The process that it ends with from now on.
  public var process: ProcessBinding?
  /// The caller.
  public var caller: Caller

  /// Hands a lease over with everything but its binding.
  public init(_ lease: LeaseID, caller: Caller) {
    self.lease = lease
    self.caller = caller
  }
}
