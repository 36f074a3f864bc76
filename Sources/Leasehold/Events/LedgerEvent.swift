/// The kind of the event; its cases are called as they are on the wire.
public enum EventKind: UInt8, Sendable, CaseIterable {
  /// An acquire went into a queue.
  case waiting
  /// A lease was granted.
  case granted
  /// A lease got a new deadline.
  case renewed
  /// A holder released.
  case released
  /// The clock, a connection or a process ended a lease; the reason tells.
  case expired
  /// An operator ended a lease, or a program that wrote the values it stood on: the reason tells.
  case broken
  /// A grant could not be handed over.
  case undelivered
  /// A lock or its set is gone, and with it a lease.
  case removed
  /// A waiter left its queue without a lease.
  case left
  /// Values that do not add up were found in the kernel.
  case drift
  /// A reader became a writer, or a writer a reader: the mode tells.
  case converted
  /// A lease went on under another id, which was granted with it.
  case transferred
  /// An operator ends a lease after a grace; its end comes as another event.
  case breaking
  /// A holder changed its note; at most once a second for each lease.
  case noted
  /// A lock got another limit: the count tells.
  case resized
  /// A newer request of a holder's group waits: the reason is the group.
  case yield
  /// The process of a lease got TERM, because its deadline is near or an operator ends it.
  case stopping

  /// The word on the wire.
  public var name: String { Self.names[Int(rawValue)] }

  private static let names = allCases.map { "\($0)" }

  /// The kind of a lease's end.
  package init(_ reason: EndReason) {
    switch reason {
    case .released: self = .released
    case .broken, .rewritten: self = .broken
    case .undelivered: self = .undelivered
    case .setRemoved, .lockRemoved: self = .removed
    case .transferred: self = .transferred
    case .expired, .connectionClosed, .processExited, .processLost: self = .expired
    }
  }
}

/// Something that happened to a lock, small enough to be noted under the ledger's lock.
public struct LedgerEvent: Sendable {
  /// The kind of the event.
  public var kind: EventKind
  /// Alone or shared.
  public var mode = LockMode.exclusive
  /// Why a lease ended, a waiter left, or what kind of drift it is: one of a few words; of a note, its text.
  public var reason: String?
  /// Slots of the lease or wanted by the waiter; for drift, units.
  public var count: Int32 = 0
  /// When, on CLOCK_MONOTONIC.
  public var at: Int64
  /// The lease's short name as a number of 40 bits; 0 where there is no lease.
  public var ref: UInt64 = 0
  /// The lease's fence; 0 where there is no lease.
  public var fence: Int64 = 0
  /// The lock's name.
  public var key: String
  /// The owner; of drift, what was found and what is done.
  public var text: String?
  /// The trace of the request that waits or that took the lease.
  public var trace = TraceContext.none
  /// The operator that ends or ended a lease, and the reason; `nil` for none, or where a restart forgot it.
  public var breaking: BreakNote?
}

extension LedgerEvent {
  /// An event of an engine that keeps no ledger.
  package init(
    _ kind: EventKind, _ key: String, mode: LockMode, count: Int32, at: Int64, ref: UInt64, fence: Int64, text: String?,
    reason: String? = nil
  ) {
    self.init(
      kind: kind, mode: mode, reason: reason, count: count, at: at, ref: ref, fence: fence, key: key, text: text)
  }
}

/// Events out of the ring, in order.
public struct EventBatch: Sendable {
  /// Tells this life of the ledger from others.
  public var epoch: UInt64 = 0
  /// The number of the oldest event that is still there.
  public var oldest: UInt64 = 1
  /// The number that the next event will get.
  public var next: UInt64 = 1
  /// The number of the first of ``events``.
  public var first: UInt64 = 1
  /// The events.
  public var events: [LedgerEvent] = []
}

/// Where events come from.
public protocol EventService: AnyObject, Sendable {
  /// The events from a number on, at most `limit`; from the oldest that is there when the number is older.
  ///
  /// Answers at once.
  ///
  /// With `limit` 0 only the numbers.
  func events(from number: UInt64, limit: Int) -> EventBatch
}
