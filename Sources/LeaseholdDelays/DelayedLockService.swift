#if DEBUG
  import Leasehold
  import LeaseholdHost
  import Synchronization

  /// A lock service over another one that takes its time, fails, and forgets what it did: what an engine across a
  /// network does, for tests.
  ///
  /// Calls that may block do so; an acquire is asked of the other service later, and its client told then. What was
  /// done and not told is settled: the grant is withdrawn, unless a retry was told of it.
  final class DelayedLockService: LockService, EngineLife {
    private let locks: any LockService
    private let life: any EngineLife
    private let delays: Delays
    private let timer = DelayTimer()
    private let calls = Atomic<UInt64>(0)
    private let isDraining = Atomic(false)
    /// Acquires whose waiters are named here and not by the other service.
    ///
    /// Those that ended otherwise stay, in a test; their clients do not, as they give something back when they end.
    private let waits = Mutex<(last: WaiterID, byID: [WaiterID: Wait])>((0, [:]))
    private enum Wait { case asked, waiting(WaiterID) }

    init(_ locks: any LockService, _ life: any EngineLife, _ delays: Delays) {
      self.locks = locks
      self.life = life
      self.delays = delays
    }

    private func nextFate() -> Delays.Fate { delays.fate(of: calls.add(1, ordering: .relaxed).newValue) }

    // MARK: What is told later, or answers at once

    func acquire(_ request: AcquireRequest, client: () -> any LeaseClient, at now: MonotonicInstant) -> AcquireOutcome {
      later(client, at: now) { [locks] client, now in locks.acquire(request, client: client, at: now) }
    }

    func convert(_ request: ConvertRequest, client: () -> any LeaseClient, at now: MonotonicInstant) -> AcquireOutcome {
      later(client, at: now) { [locks] client, now in locks.convert(request, client: client, at: now) }
    }

    private func later(
      _ client: () -> any LeaseClient, at now: MonotonicInstant,
      _ ask: @escaping @Sendable (_ client: () -> any LeaseClient, _ now: MonotonicInstant) -> AcquireOutcome
    ) -> AcquireOutcome {
      if delays.isNone { return ask(client, now) }
      let client = client()
      let id = waits.withLock { waits in
        waits.last += 1
        waits.byID[waits.last] = .asked
        return waits.last
      }
      timer.after(delays.span.nanoseconds) { [self] in
        perform(id, client) { ask({ client }, now + delays.span) }
      }
      return .waiting(id, behind: nil)
    }

    private func perform(_ id: WaiterID, _ client: any LeaseClient, _ ask: () -> AcquireOutcome) {
      guard !isWithdrawn(id) else { return }
      let fate = nextFate()
      guard fate != .fails else { return client.refused(Self.unavailable()) }
      switch ask() {
      case .granted(let lease):
        let isNew = !lease.replayed && !lease.isConverted
        if isWithdrawn(id) {
          if isNew { locks.withdraw(.grant(lease.grant), at: lease.grantedAt) }
        } else if fate == .isForgotten {
          if isNew { settle(lease.grant, at: lease.grantedAt) }
          client.refused(Self.unknown())
        } else {
          client.granted(lease)
        }
      case .waiting(let waiter, _):
        let isWithdrawn = waits.withLock { waits in
          guard waits.byID[id] != nil else { return true }
          waits.byID[id] = .waiting(waiter)
          return false
        }
        if isWithdrawn { locks.withdraw(.waiter(waiter), at: Self.now()) }
      case .refused(let error): client.refused(error)
      }
    }

    private func isWithdrawn(_ id: WaiterID) -> Bool { waits.withLock { $0.byID[id] == nil } }

    private func settle(_ grant: Grant, at now: MonotonicInstant) {
      timer.after(delays.span.nanoseconds) { [self] in locks.withdraw(.grant(grant), at: now + delays.span) }
    }

    /// Passes it on: a grant's later, so that a retry may be first.
    func withdraw(_ withdrawal: Withdrawal, at now: MonotonicInstant) {
      switch withdrawal {
      case .waiter(let id) where !delays.isNone:
        let wait = waits.withLock { $0.byID.removeValue(forKey: id) }
        if case .waiting(let waiter)? = wait { locks.withdraw(.waiter(waiter), at: now) }
      case .grant(let grant) where !delays.isNone: settle(grant, at: now)
      case .waiter, .grant, .connection: locks.withdraw(withdrawal, at: now)
      }
    }

    func follow(_ lease: LeaseID, client: any LeaseClient) -> Bool { locks.follow(lease, client: client) }

    // MARK: What takes its time

    /// Makes a call late; what is only read can be read again, and so is never forgotten.
    private func slowly<Answer>(
      changing: Bool = true, _ call: @autoclosure () throws(LeaseholdError) -> Answer
    ) throws(LeaseholdError) -> Answer {
      let fate = nextFate()
      let end = HostClock.monotonic() &+ delays.span.nanoseconds
      while !isDraining.load(ordering: .relaxed), HostClock.monotonic() < end {
        HostClock.sleep(nanoseconds: min(5_000_000, max(1, end &- HostClock.monotonic())))
      }
      if fate == .fails { throw Self.unavailable() }
      let answer = try call()
      if fate == .isForgotten, changing { throw Self.unknown() }
      return answer
    }

    func release(
      _ lease: LeaseID, on lock: LockName?, early: Bool, within confinement: Confinement?, at now: MonotonicInstant
    ) throws(LeaseholdError) -> ReleaseOutcome {
      try slowly(try locks.release(lease, on: lock, early: early, within: confinement, at: now + delays.span))
    }

    func resize(
      _ request: ResizeRequest, for caller: Caller, at now: MonotonicInstant
    ) throws(LeaseholdError) -> OpenedLock {
      try slowly(try locks.resize(request, for: caller, at: now + delays.span))
    }

    func renew(
      _ lease: LeaseID, on lock: LockName?, ttl: TimeSpan?, within confinement: Confinement?, at now: MonotonicInstant
    ) throws(LeaseholdError) -> LeaseSnapshot {
      try slowly(try locks.renew(lease, on: lock, ttl: ttl, within: confinement, at: now + delays.span))
    }

    func add(_ request: AddRequest, at now: MonotonicInstant) throws(LeaseholdError) -> LeaseSnapshot {
      try slowly(try locks.add(request, at: now + delays.span))
    }

    func note(
      _ lease: LeaseID, _ text: String?, within confinement: Confinement?, at now: MonotonicInstant
    ) throws(LeaseholdError) -> LeaseSnapshot {
      try slowly(try locks.note(lease, text, within: confinement, at: now + delays.span))
    }

    func releaseAll(
      owner: String, key: LockKey?, of caller: Caller?, within confinement: Confinement?, at now: MonotonicInstant
    ) throws(LeaseholdError) -> [String] {
      try slowly(try locks.releaseAll(owner: owner, key: key, of: caller, within: confinement, at: now + delays.span))
    }

    func breakLease(_ request: BreakRequest, at now: MonotonicInstant) throws(LeaseholdError) -> BreakOutcome {
      try slowly(try locks.breakLease(request, at: now + delays.span))
    }

    func transfer(_ request: TransferRequest, at now: MonotonicInstant) throws(LeaseholdError) -> LeaseSnapshot {
      try slowly(try locks.transfer(request, at: now + delays.span))
    }

    func attach(_ request: AttachRequest, at now: MonotonicInstant) throws(LeaseholdError) -> LeaseSnapshot {
      try slowly(try locks.attach(request, at: now + delays.span))
    }

    func cancel(key: String, of caller: Caller, at now: MonotonicInstant) throws(LeaseholdError) -> CancelOutcome {
      try slowly(try locks.cancel(key: key, of: caller, at: now + delays.span))
    }

    func lease(
      _ lease: LeaseID, within confinement: Confinement?, at now: MonotonicInstant
    ) throws(LeaseholdError) -> LeaseSnapshot {
      try slowly(changing: false, try locks.lease(lease, within: confinement, at: now + delays.span))
    }

    func leases(_ filter: ListFilter) throws(LeaseholdError) -> Page<LeaseSnapshot> {
      try slowly(changing: false, try locks.leases(filter))
    }

    func lock(_ lock: LockName, listed: Int) throws(LeaseholdError) -> LockSnapshot {
      try slowly(changing: false, try locks.lock(lock, listed: listed))
    }

    func locks(_ filter: ListFilter) throws(LeaseholdError) -> Page<LockSnapshot> {
      try slowly(changing: false, try locks.locks(filter))
    }

    func remove(
      _ lock: LockName, force: Bool, within confinement: Confinement?, at now: MonotonicInstant
    ) throws(LeaseholdError) {
      try slowly(try locks.remove(lock, force: force, within: confinement, at: now + delays.span))
    }

    // MARK: Its life

    func status() -> ServiceStatus { life.status() }

    var sinceClockTurned: TimeSpan { life.sinceClockTurned }

    func isAlive(within span: TimeSpan) -> Bool { life.isAlive(within: span) }

    /// Takes no time any more.
    func drain() {
      isDraining.store(true, ordering: .relaxed)
      life.drain()
    }

    func stop() { life.stop() }

    private static func now() -> MonotonicInstant { MonotonicInstant(nanoseconds: HostClock.monotonic()) }

    private static func unavailable() -> LeaseholdError {
      LeaseholdError(.engineUnavailable, "The engine failed by plan, and nothing was done.", retryAfter: .seconds(1))
    }

    private static func unknown() -> LeaseholdError {
      LeaseholdError(
        .outcomeUnknown, "The engine forgot by plan whether it was done; repeat with the same Idempotency-Key.",
        retryAfter: .seconds(1))
    }
  }

  /// A thread that does things later, in the order in which they are due.
  final class DelayTimer: Sendable {
    private let due = Mutex<[(at: Int64, body: @Sendable () -> Void)]>([])
    private let alarm = Alarm()

    init() { _ = HostThread(named: "lh-delays") { [self] in run() } }

    /// Does something after so many nanoseconds, on the timer's thread.
    func after(_ nanoseconds: Int64, _ body: @escaping @Sendable () -> Void) {
      let at = HostClock.monotonic() &+ nanoseconds
      due.withLock { due in
        let index = due.lastIndex { $0.at <= at }.map { $0 + 1 } ?? 0
        due.insert((at, body), at: index)
      }
      alarm.ring()
    }

    private func run() {
      while true {
        let now = HostClock.monotonic()
        let (ready, next) = due.withLock { due in
          let count = due.prefix { $0.at <= now }.count
          defer { due.removeFirst(count) }
          return (due.prefix(count).map(\.body), due.dropFirst(count).first?.at)
        }
        for body in ready { body() }
        if ready.isEmpty { alarm.sleep(until: next ?? .max) }
      }
    }
  }
#endif
