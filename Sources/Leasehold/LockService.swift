/// Hears how a waiting acquire ended and, for held answers, how the lease did.
///
/// Called on any thread, outside every lock.
public protocol LeaseClient: AnyObject, Sendable {
  /// The wait is over: the lease is the caller's. If the answer cannot be delivered, withdraw the grant.
  func granted(_ lease: LeaseSnapshot)
  /// The wait is over without a lease.
  func refused(_ error: LeaseholdError)
  /// The deadline of a lease that is followed; `nil` for none.
  func renewed(until deadline: MonotonicInstant?)
  /// A lease that is followed is over; the note is an operator's, where that is the reason.
  func ended(_ reason: EndReason, _ note: BreakNote?, at instant: MonotonicInstant)
  /// An operator ends a lease that is followed; ``ended(_:_:at:)`` comes at its end.
  func breaking(at end: MonotonicInstant, _ note: BreakNote)
  /// A newer request of the group of a lease that is followed waits; the holder may go on.
  func askedToYield()
}

extension LeaseClient {
  /// Takes no notice.
  public func renewed(until deadline: MonotonicInstant?) {}

  /// Takes no notice.
  public func breaking(at end: MonotonicInstant, _ note: BreakNote) {}

  /// Takes no notice.
  public func askedToYield() {}
}

/// Names a waiting acquire until it is granted, refused or withdrawn.
public typealias WaiterID = UInt64

/// The outcome of an acquire.
public enum AcquireOutcome: Sendable {
  /// The lease is the caller's.
  case granted(LeaseSnapshot)
  /// The client will hear of it; with the requests before it, where the request belongs to a trace.
  case waiting(WaiterID, behind: QueueNote?)
  /// Not granted; the error says why and when to retry.
  case refused(LeaseholdError)
}

/// An outcome that can reach no caller any more.
public enum Withdrawal: Sendable {
  /// A wait whose caller is gone: it leaves its queue, and gets nothing if it was granted meanwhile.
  case waiter(WaiterID)
  /// A grant that could not be handed over: its slots go back, unless a retry was told of the lease since.
  case grant(Grant)
  /// A connection that closed: what is bound to it ends.
  case connection(ConnectionID)
}

/// The outcome of a release.
public struct ReleaseOutcome: Sendable {
  /// The lock; `nil` where it was released before a restart that forgot it.
  public var key: LockKey?
  /// The lease.
  public var id: LeaseID
  /// True when it had been released before.
  public var already: Bool
  /// Until when its slots stay taken all the same; `nil` where they are free.
  public var keptUntil: MonotonicInstant?
}

extension ReleaseOutcome {
  /// A release of a lease.
  package init(_ id: LeaseID, of key: LockKey?, already: Bool) { self.init(key: key, id: id, already: already) }
}

/// Locks and leases.
///
/// Calls may be made from any thread. ``withdraw(_:at:)`` and ``follow(_:client:)`` answer at once; the others may take
/// their time where ``EngineTraits/mayBlock`` says so, and none waits for a lock.
///
/// `now` is the caller's one reading of the clock for the whole request; what `confinement` does not cover is refused.
public protocol LockService: AnyObject, Sendable {
  /// Takes one lock, or several at once or none; or queues for them, holding nothing.
  ///
  /// - Parameter client: Gives the client to tell; called at most once, before ``AcquireOutcome/waiting(_:behind:)`` is
  ///   answered; it must not call the service.
  func acquire(
    _ request: AcquireRequest, client: () -> any LeaseClient, at now: MonotonicInstant
  ) -> AcquireOutcome
  /// Turns a reader's lease into a writer's or back; going up may wait.
  func convert(
    _ request: ConvertRequest, client: () -> any LeaseClient, at now: MonotonicInstant
  ) -> AcquireOutcome
  /// Takes back what can reach no caller any more; does nothing where it is over.
  func withdraw(_ withdrawal: Withdrawal, at now: MonotonicInstant)
  /// Follows a lease: `client` hears of its deadline as it is now, of what changes it, and of its end. Answers false
  /// when it is over already.
  func follow(_ lease: LeaseID, client: any LeaseClient) -> Bool
  /// Gives a lease back; `lock`, when given, must be its lock.
  ///
  /// - Parameter early: True to give it back at once, whatever it was to hold at least; also one that is kept by now.
  /// - Throws: As ``lease(_:within:at:)``, but not `released`: `no-such-lease` also for a lease on another lock than
  ///   `lock`.
  func release(
    _ lease: LeaseID, on lock: LockName?, early: Bool, within confinement: Confinement?, at now: MonotonicInstant
  ) throws(LeaseholdError) -> ReleaseOutcome
  /// Moves a lease's deadline to `now` + `ttl` (its own when `nil`).
  ///
  /// - Throws: As ``release(_:on:early:within:at:)``, and `released`; `out-of-range` for a ttl of zero where nothing
  ///   else ends the lease, or one longer than the confinement allows; `invalid-parameter` for a lease without a
  ///   deadline.
  func renew(
    _ lease: LeaseID, on lock: LockName?, ttl: TimeSpan?, within confinement: Confinement?, at now: MonotonicInstant
  ) throws(LeaseholdError) -> LeaseSnapshot
  /// Renews many, each as if it were alone; answers one result for each, in order.
  func renew(
    _ leases: [LeaseID], ttl: TimeSpan?, within confinement: Confinement?, at now: MonotonicInstant
  ) -> [Result<LeaseSnapshot, LeaseholdError>]
  /// Adds locks to a lease, all or nothing and at once; what it has stays. A lease that has them already is answered
  /// as it is.
  ///
  /// - Throws: As ``renew(_:on:ttl:within:at:)``, and as the refusals of ``acquire(_:client:at:)``, `locked` among
  ///   them; `same-lock-twice` for a lock that it has in another form; `out-of-range` for a lease that lasts longer
  ///   than the confinement allows; `forbidden` for one of another token; `not-supported`.
  func add(_ request: AddRequest, at now: MonotonicInstant) throws(LeaseholdError) -> LeaseSnapshot
  /// Sets the text that a holder shows; `nil` or an empty one clears it. It is lost in a restart.
  ///
  /// - Throws: As ``renew(_:on:ttl:within:at:)``; `not-supported`.
  func note(
    _ lease: LeaseID, _ text: String?, within confinement: Confinement?, at now: MonotonicInstant
  ) throws(LeaseholdError) -> LeaseSnapshot
  /// Releases all leases of an owner, on one lock only when `key` is given; answers their short names.
  ///
  /// A `caller` releases only leases of its own: of the same token, or without one of the same user. Leases that are
  /// not covered stay.
  ///
  /// - Throws: `engine-unavailable` and `outcome-unknown`, where the engine may block.
  func releaseAll(
    owner: String, key: LockKey?, of caller: Caller?, within confinement: Confinement?, at now: MonotonicInstant
  ) throws(LeaseholdError) -> [String]
  /// Ends a holder's lease by force, now or after a grace.
  ///
  /// - Throws: As ``lease(_:within:at:)``; `permission-denied` for a lease of another user, `in-use` where two leases
  ///   have the short name.
  func breakLease(_ request: BreakRequest, at now: MonotonicInstant) throws(LeaseholdError) -> BreakOutcome
  /// Binds a lease to the caller's connection, and to no other any more: a follower hears that it was transferred.
  ///
  /// - Throws: As ``renew(_:on:ttl:within:at:)``; `invalid-parameter` for a lease that is bound to a process.
  func attach(_ request: AttachRequest, at now: MonotonicInstant) throws(LeaseholdError) -> LeaseSnapshot
  /// Takes back what a caller's Idempotency-Key got or waits for, on whatever locks, and refuses the key from then on:
  /// an acquire that comes later gets `canceled`.
  ///
  /// - Throws: `draining`, `starting`; `engine-unavailable` and `outcome-unknown`, where the engine may block.
  func cancel(key: String, of caller: Caller, at now: MonotonicInstant) throws(LeaseholdError) -> CancelOutcome
  /// Gives a lease another id and holder.
  ///
  /// - Throws: As ``renew(_:on:ttl:within:at:)``; `no-such-process` when the process to bind to has ended,
  ///   `caller-limit`, `ledger-full`.
  func transfer(_ request: TransferRequest, at now: MonotonicInstant) throws(LeaseholdError) -> LeaseSnapshot
  /// One lease.
  ///
  /// - Throws: `no-such-lease`; `expired`, `released`, `broken`, `rewritten`, `undelivered`, `set-removed` or
  ///   `lock-removed` when it is over; `forbidden` outside the confinement; `draining` once another daemon serves;
  ///   `engine-unavailable` and `outcome-unknown`, where the engine may block.
  func lease(
    _ lease: LeaseID, within confinement: Confinement?, at now: MonotonicInstant
  ) throws(LeaseholdError) -> LeaseSnapshot
  /// The live leases.
  ///
  /// - Throws: `engine-unavailable`, where the engine may block.
  func leases(_ filter: ListFilter) throws(LeaseholdError) -> Page<LeaseSnapshot>
  /// One lock with at most `listed` holders and as many waiters.
  ///
  /// - Throws: `no-such-lock`; for a native name as ``NativeLockService/binding(_:_:)``; `engine-unavailable`, where
  ///   the engine may block.
  func lock(_ lock: LockName, listed: Int) throws(LeaseholdError) -> LockSnapshot
  /// The locks.
  ///
  /// - Throws: `engine-unavailable`, where the engine may block.
  func locks(_ filter: ListFilter) throws(LeaseholdError) -> Page<LockSnapshot>
  /// Removes a lock, of a native one the whole set; `force` ends its leases and refuses its waiters first.
  ///
  /// - Throws: As ``lock(_:listed:)``; `in-use` and `ledger-damaged` without `force`, `forbidden` for holders outside
  ///   the confinement.
  func remove(
    _ lock: LockName, force: Bool, within confinement: Confinement?, at now: MonotonicInstant
  ) throws(LeaseholdError)
  /// Gives a counting lock another limit, in use or not; makes it where there is none.
  ///
  /// Nobody is put out: what is in use beyond the limit goes to nobody when it comes back. Waiters that want more than
  /// the limit are refused.
  ///
  /// - Throws: `draining`, `starting`, `kind-mismatch` for a lock in use without a limit, `ledger-damaged`,
  ///   `ledger-full`, `kernel-limit`; `not-supported` for what the engine cannot keep.
  func resize(
    _ request: ResizeRequest, for caller: Caller, at now: MonotonicInstant
  ) throws(LeaseholdError) -> OpenedLock
}

/// Locks that native programs share, and what is made of them without a lease.
public protocol NativeLockService: AnyObject, Sendable {
  /// Opens a lock without taking it.
  ///
  /// - Throws: `draining`, `starting`, `bad-key`, `limit-mismatch`, `set-removed`, `kernel-limit`, `ledger-full`; for
  ///   a native name as ``binding(_:_:)``.
  func open(_ want: Want, for caller: Caller, at now: MonotonicInstant) throws(LeaseholdError) -> OpenedLock
  /// Where a native name leads.
  ///
  /// - Throws: `permission-denied`, `path-not-allowed`, `own-set`, `no-such-set`, `no-such-path`, `kind-mismatch`,
  ///   `nsems-mismatch`, `out-of-range`, `kernel-limit`.
  func binding(_ key: LockKey, _ native: NativeRequest) throws(LeaseholdError) -> KeyBinding
}

/// Finds the processes that leases are bound to.
public protocol ProcessService: AnyObject, Sendable {
  /// Finds the process that a caller wants a lease bound to; `socket` is the descriptor of its Unix socket.
  ///
  /// - Throws: `no-such-process`; `permission-denied` for a process of another user, `invalid-parameter` over TCP,
  ///   `too-many-processes`, `kernel-limit`.
  func process(_ asked: AskedProcess, of caller: Caller, socket: Int32) throws(LeaseholdError) -> ProcessBinding

  /// Sees that a process can be stopped for a caller: that both the caller and the service may send it signals.
  ///
  /// - Throws: `permission-denied`; `no-such-process` for one that cannot be seen or has ended.
  func checkStop(of process: ProcessBinding, for caller: Caller) throws(LeaseholdError)
}

extension LockService {
  /// Renews one after the other.
  public func renew(
    _ leases: [LeaseID], ttl: TimeSpan?, within confinement: Confinement?, at now: MonotonicInstant
  ) -> [Result<LeaseSnapshot, LeaseholdError>] {
    leases.map { lease in
      Result { () throws(LeaseholdError) in try renew(lease, on: nil, ttl: ttl, within: confinement, at: now) }
    }
  }

  /// An engine whose leases keep the locks they began with.
  ///
  /// - Throws: `not-supported`.
  public func add(_ request: AddRequest, at now: MonotonicInstant) throws(LeaseholdError) -> LeaseSnapshot {
    throw LeaseholdError(.notSupported, "This engine adds no locks to a lease.")
  }

  /// An engine without notes.
  ///
  /// - Throws: `not-supported`.
  public func note(
    _ lease: LeaseID, _ text: String?, within confinement: Confinement?, at now: MonotonicInstant
  ) throws(LeaseholdError) -> LeaseSnapshot {
    throw LeaseholdError(.notSupported, "This engine shows no notes of holders.")
  }

  /// One own lock with as many holders and waiters as an answer usually lists.
  ///
  /// - Throws: As ``lock(_:listed:)``.
  public func lock(_ key: LockKey) throws(LeaseholdError) -> LockSnapshot {
    try lock(LockName(key), listed: LockSnapshot.listed)
  }

  /// Gives a lease back.
  ///
  /// - Throws: As ``release(_:on:early:within:at:)``.
  public func release(_ lease: LeaseID, at now: MonotonicInstant) throws(LeaseholdError) -> ReleaseOutcome {
    try release(lease, on: nil, early: false, within: nil, at: now)
  }

  /// One lease, for any caller.
  ///
  /// - Throws: As ``lease(_:within:at:)``.
  public func lease(_ lease: LeaseID, at now: MonotonicInstant) throws(LeaseholdError) -> LeaseSnapshot {
    try self.lease(lease, within: nil, at: now)
  }
}
