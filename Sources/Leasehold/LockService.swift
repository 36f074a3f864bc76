/// Hears how a waiting acquire ended and, for held answers, how the lease did.
///
/// Called on any thread, outside every lock.
public protocol LeaseClient: AnyObject, Sendable {
  /// The wait is over: the lease is the caller's. If the answer cannot be delivered, call
  /// ``LockService/undeliver(_:at:)``.
  func granted(_ lease: LeaseSnapshot)
  /// The wait is over without a lease.
  func refused(_ error: LeaseholdError)
  /// A lease whose ``AcquireRequest`` asked to follow it is over.
  func ended(_ reason: EndReason, at instant: MonotonicInstant)
  /// An operator ends a lease that is followed; ``ended(_:at:)`` comes at its end.
  func breaking(at end: MonotonicInstant, _ note: BreakNote)
}

extension LeaseClient {
  /// Takes no notice.
  public func breaking(at end: MonotonicInstant, _ note: BreakNote) {}
}

/// Names a waiting acquire until it is granted, refused or canceled.
public typealias WaiterID = UInt64

/// How an acquire went.
public enum AcquireOutcome: Sendable {
  /// The lease is the caller's.
  case granted(LeaseSnapshot)
  /// The client will hear of it.
  case waiting(WaiterID)
  /// No.
  case refused(LeaseholdError)
}

/// How a release went.
public struct ReleaseOutcome: Sendable {
  /// The lock; `nil` where it was released before a restart that forgot it.
  public var key: LockKey?
  /// The lease.
  public var id: LeaseID
  /// Whether it had been released before.
  public var already: Bool
}

/// Locks and leases.
///
/// Every call answers at once and may be made from any thread.
///
/// `now` is the caller's one reading of the clock for the whole request.
public protocol LockService: SemaphoreService, EventService, LockWatchService {
  /// Takes a lock, or queues for it when the request has a wait and there is a client to tell.
  func acquire(_ request: AcquireRequest, client: (any LeaseClient)?, at now: MonotonicInstant) -> AcquireOutcome
  /// Takes several locks at once or none, or queues for all of them while holding nothing.
  ///
  /// `wants` has 1...``Limits/wants`` entries; the first carries what the lease is to be.
  func acquire(
    several wants: [AcquireRequest], client: (any LeaseClient)?, at now: MonotonicInstant
  ) -> AcquireOutcome
  /// Turns a reader's lease into a writer's or back; going up may wait.
  func convert(
    _ request: ConvertRequest, client: (any LeaseClient)?, at now: MonotonicInstant
  ) -> AcquireOutcome
  /// The waiter is gone: it leaves its queue, and gets nothing if it was granted meanwhile.
  func cancel(_ waiter: WaiterID, at now: MonotonicInstant)
  /// The grant could not be handed over: the slots go back.
  func undeliver(_ lease: LeaseID, at now: MonotonicInstant)
  /// Follows a lease: `client` hears of its end. Answers false when it is over already.
  func follow(_ lease: LeaseID, client: any LeaseClient) -> Bool
  /// Gives a lease back. `key`, when given, must be its lock; `native` is the binding of a native name.
  ///
  /// Here and below, what `confinement` does not cover is refused.
  func release(
    _ lease: LeaseID, key: LockKey?, native: NativeRequest?, within confinement: Confinement?,
    at now: MonotonicInstant
  ) throws(LeaseholdError) -> ReleaseOutcome
  /// Moves a lease's deadline to `now` + `ttl` (its own when `nil`).
  func renew(
    _ lease: LeaseID, key: LockKey?, native: NativeRequest?, ttl: TimeSpan?, within confinement: Confinement?,
    at now: MonotonicInstant
  ) throws(LeaseholdError) -> LeaseSnapshot
  /// Ends somebody's lease, now or after a grace.
  func breakLease(_ request: BreakRequest, at now: MonotonicInstant) throws(LeaseholdError) -> BreakOutcome
  /// Gives a lease another id and holder.
  func transfer(_ request: TransferRequest, at now: MonotonicInstant) throws(LeaseholdError) -> LeaseSnapshot
  /// One lease.
  func lease(
    _ lease: LeaseID, within confinement: Confinement?, at now: MonotonicInstant
  ) throws(LeaseholdError) -> LeaseSnapshot
  /// The live leases.
  func leases(_ filter: ListFilter) -> Page<LeaseSnapshot>
  /// Releases all leases of an owner, on one lock only when `key` is given; answers their short names.
  ///
  /// With a `caller` only those that are its own: of the same token, or without one of the same user.
  /// Leases that are not covered stay.
  func releaseAll(
    owner: String, key: LockKey?, of caller: Caller?, within confinement: Confinement?, at now: MonotonicInstant
  ) -> [String]
  /// One lock with at most `listed` holders and as many waiters; `native` is the binding of a native name.
  func lock(_ key: LockKey, _ native: NativeRequest?, listed: Int) throws(LeaseholdError) -> LockSnapshot
  /// Opens a lock without taking it.
  func open(_ request: AcquireRequest, at now: MonotonicInstant) throws(LeaseholdError) -> OpenedLock
  /// Where a native name leads.
  func binding(_ key: LockKey, _ native: NativeRequest) throws(LeaseholdError) -> KeyBinding
  /// The locks.
  func locks(_ filter: ListFilter) -> Page<LockSnapshot>
  /// Removes a lock, of a native one the whole set; `force` ends its leases and refuses its waiters first.
  func remove(
    _ key: LockKey, _ native: NativeRequest?, force: Bool, within confinement: Confinement?,
    at now: MonotonicInstant
  ) throws(LeaseholdError)
  /// Finds the process that a caller wants a lease bound to; `socket` is the descriptor of its Unix socket.
  func process(_ asked: AskedProcess, of caller: Caller, socket: Int32) throws(LeaseholdError) -> ProcessBinding
  /// A connection closed: what is bound to it ends.
  func connectionClosed(_ connection: ConnectionID, at now: MonotonicInstant)
  /// Whether it serves, and what it counted.
  func status() -> ServiceStatus
  /// How long ago the clock that ends leases turned; a second at most when all is well.
  ///
  /// Waits for nothing.
  var sinceClockTurned: TimeSpan { get }
}

extension LockService {
  /// One own lock with as many holders and waiters as an answer usually lists.
  public func lock(_ key: LockKey) throws(LeaseholdError) -> LockSnapshot {
    try lock(key, nil, listed: LockSnapshot.listed)
  }

  /// Gives a lease back.
  public func release(
    _ lease: LeaseID, key: LockKey?, at now: MonotonicInstant
  ) throws(LeaseholdError) -> ReleaseOutcome { try release(lease, key: key, native: nil, within: nil, at: now) }

  /// Moves a lease's deadline.
  public func renew(
    _ lease: LeaseID, key: LockKey?, ttl: TimeSpan?, at now: MonotonicInstant
  ) throws(LeaseholdError) -> LeaseSnapshot {
    try renew(lease, key: key, native: nil, ttl: ttl, within: nil, at: now)
  }

  /// One lease, whoever asks.
  public func lease(_ lease: LeaseID, at now: MonotonicInstant) throws(LeaseholdError) -> LeaseSnapshot {
    try self.lease(lease, within: nil, at: now)
  }

  /// Releases all leases of an owner, whoever took them.
  public func releaseAll(owner: String, key: LockKey?, at now: MonotonicInstant) -> [String] {
    releaseAll(owner: owner, key: key, of: nil, within: nil, at: now)
  }

  /// Removes an own lock.
  public func remove(_ key: LockKey, force: Bool, at now: MonotonicInstant) throws(LeaseholdError) {
    try remove(key, nil, force: force, within: nil, at: now)
  }
}
