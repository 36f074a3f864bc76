/// A lock service that carries its calls to a ledger; what it adds is the way there.
///
/// Bodies on the straight line from a request to semop can be inlined.
public protocol LedgerService: LockService, NativeLockService, LockWatchService {
  /// Runs a call of the ledger, and tells the clients then that must hear of it.
  ///
  /// - Throws: What the call throws.
  func change<Success: Sendable, Failure: Error>(
    _ body: (Ledger) throws(Failure) -> Success
  ) throws(Failure) -> Success
  /// An instant on both clocks.
  func moment(_ now: MonotonicInstant) -> Moment
}

extension LedgerService {
  @inlinable
  @inline(__always)
  func change<Success: Sendable, Failure: Error>(
    at now: MonotonicInstant, _ body: (Ledger, Moment) throws(Failure) -> Success
  ) throws(Failure) -> Success {
    let moment = moment(now)
    return try change { ledger throws(Failure) in try body(ledger, moment) }
  }

  /// Takes one lock, or several at once or none; or queues for them.
  @inlinable
  public func acquire(
    _ request: AcquireRequest, client: () -> any LeaseClient, at now: MonotonicInstant
  ) -> AcquireOutcome {
    change(at: now) { $0.acquire(request, client: client, at: $1) }
  }

  /// Turns a reader's lease into a writer's or back.
  @inlinable
  public func convert(
    _ request: ConvertRequest, client: () -> any LeaseClient, at now: MonotonicInstant
  ) -> AcquireOutcome {
    change(at: now) { $0.convert(request, client: client, at: $1) }
  }

  /// Takes back what can reach no caller any more.
  @inlinable
  public func withdraw(_ withdrawal: Withdrawal, at now: MonotonicInstant) {
    change(at: now) { $0.withdraw(withdrawal, at: $1) }
  }

  /// Follows a lease.
  @inlinable
  public func follow(_ lease: LeaseID, client: any LeaseClient) -> Bool { change { $0.follow(lease, client: client) } }

  /// Gives a lease back.
  ///
  /// - Throws: As ``LockService/release(_:on:early:within:at:)``.
  @inlinable
  public func release(
    _ lease: LeaseID, on lock: LockName?, early: Bool, within confinement: Confinement?, at now: MonotonicInstant
  ) throws(LeaseholdError) -> ReleaseOutcome {
    try change(at: now) { ledger, moment throws(LeaseholdError) in
      try ledger.release(lease, key: lock?.key, native: lock?.native, early: early, within: confinement, at: moment)
    }
  }

  /// Moves a lease's deadline.
  ///
  /// - Throws: As ``LockService/renew(_:on:ttl:within:at:)``.
  @inlinable
  public func renew(
    _ lease: LeaseID, on lock: LockName?, ttl: TimeSpan?, within confinement: Confinement?, at now: MonotonicInstant
  ) throws(LeaseholdError) -> LeaseSnapshot {
    try change(at: now) { ledger, moment throws(LeaseholdError) in
      try ledger.renew(lease, key: lock?.key, native: lock?.native, ttl: ttl, within: confinement, at: moment)
    }
  }

  /// Adds locks to a lease.
  ///
  /// - Throws: As ``LockService/add(_:at:)``.
  public func add(_ request: AddRequest, at now: MonotonicInstant) throws(LeaseholdError) -> LeaseSnapshot {
    try change(at: now) { ledger, moment throws(LeaseholdError) in try ledger.add(request, at: moment) }
  }

  /// Sets the text that a holder shows.
  ///
  /// - Throws: As ``LockService/note(_:_:within:at:)``.
  public func note(
    _ lease: LeaseID, _ text: String?, within confinement: Confinement?, at now: MonotonicInstant
  ) throws(LeaseholdError) -> LeaseSnapshot {
    try change(at: now) { ledger, moment throws(LeaseholdError) in
      try ledger.note(lease, text, within: confinement, at: moment)
    }
  }

  /// Gives a lease another id and holder.
  ///
  /// - Throws: As ``LockService/transfer(_:at:)``.
  public func transfer(
    _ request: TransferRequest, at now: MonotonicInstant
  ) throws(LeaseholdError) -> LeaseSnapshot {
    try change(at: now) { ledger, moment throws(LeaseholdError) in try ledger.transfer(request, at: moment) }
  }

  /// Binds a lease to the caller's connection.
  ///
  /// - Throws: As ``LockService/attach(_:at:)``.
  public func attach(_ request: AttachRequest, at now: MonotonicInstant) throws(LeaseholdError) -> LeaseSnapshot {
    try change(at: now) { ledger, moment throws(LeaseholdError) in try ledger.attach(request, at: moment) }
  }

  /// Takes back what an Idempotency-Key got or waits for.
  ///
  /// - Throws: As ``LockService/cancel(key:of:at:)``.
  public func cancel(
    key: String, of caller: Caller, at now: MonotonicInstant
  ) throws(LeaseholdError) -> CancelOutcome {
    try change(at: now) { ledger, moment throws(LeaseholdError) in try ledger.cancel(key: key, of: caller, at: moment) }
  }

  /// One lease.
  ///
  /// - Throws: As ``LockService/lease(_:within:at:)``.
  @inlinable
  public func lease(
    _ lease: LeaseID, within confinement: Confinement?, at now: MonotonicInstant
  ) throws(LeaseholdError) -> LeaseSnapshot {
    try change(at: now) { ledger, moment throws(LeaseholdError) in
      try ledger.lease(lease, within: confinement, at: moment)
    }
  }

  /// Releases all leases of an owner.
  public func releaseAll(
    owner: String, key: LockKey?, of caller: Caller?, within confinement: Confinement?, at now: MonotonicInstant
  ) -> [String] {
    change(at: now) { $0.releaseAll(owner: owner, key: key, of: caller, within: confinement, at: $1) }
  }

  /// Opens a lock without taking it.
  ///
  /// - Throws: As ``NativeLockService/open(_:for:at:)``.
  public func open(
    _ want: Want, for caller: Caller, at now: MonotonicInstant
  ) throws(LeaseholdError) -> OpenedLock {
    try change(at: now) { ledger, moment throws(LeaseholdError) in try ledger.open(want, for: caller, at: moment) }
  }

  /// Gives a counting lock another limit.
  ///
  /// - Throws: As ``LockService/resize(_:for:at:)``.
  public func resize(
    _ request: ResizeRequest, for caller: Caller, at now: MonotonicInstant
  ) throws(LeaseholdError) -> OpenedLock {
    try change(at: now) { ledger, moment throws(LeaseholdError) in try ledger.resize(request, for: caller, at: moment) }
  }

  /// Where a native name leads.
  ///
  /// - Throws: As ``NativeLockService/binding(_:_:)``.
  public func binding(_ key: LockKey, _ native: NativeRequest) throws(LeaseholdError) -> KeyBinding {
    try change { ledger throws(LeaseholdError) in try ledger.binding(key, native) }
  }

  /// Removes a lock.
  ///
  /// - Throws: As ``LockService/remove(_:force:within:at:)``.
  public func remove(
    _ lock: LockName, force: Bool, within confinement: Confinement?, at now: MonotonicInstant
  ) throws(LeaseholdError) {
    try change(at: now) { ledger, moment throws(LeaseholdError) in
      try ledger.remove(lock.key, lock.native, force: force, within: confinement, at: moment)
    }
  }

  /// Watches a lock.
  ///
  /// - Throws: As ``LockWatchService/watch(_:listed:unless:watcher:)``.
  public func watch(
    _ lock: LockName, listed: Int, unless tags: [String], watcher: any LockWatcher
  ) throws(LeaseholdError) -> WatchOutcome {
    try change { ledger throws(LeaseholdError) in
      try ledger.watch(lock, listed: listed, unless: tags, watcher: watcher)
    }
  }

  /// The watcher is gone.
  public func unwatch(_ watch: WatchID) { change { $0.unwatch(watch) } }
}
