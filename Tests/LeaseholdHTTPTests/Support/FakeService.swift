import LeaseholdTestKit
import Synchronization

@testable import Leasehold
import SysVTypes

/// A lock service that answers what the test says and remembers what it was told.
final class FakeService: LockService, NativeLockService, EventService, LockWatchService, ProcessService, EngineLife,
  HostWithoutNativeSets
{
  struct Heard {
    var requests: [AcquireRequest] = []
    var clients: [any LeaseClient] = []
    var canceled: [WaiterID] = []
    var released: [LeaseID] = []
    var undelivered: [LeaseID] = []
    var followed: [LeaseID] = []
    var closed: [ConnectionID] = []
    var operations: [OperationRequest] = []
    var operating: [any OperationClient] = []
    var canceledOperations: [WaiterID] = []
  }

  /// How acquires are answered.
  enum Plan {
    case grant, wait, refuse(LeaseholdError.Code)
  }

  private struct State {
    var heard = Heard()
    var plan = Plan.wait
    var isLeaseOver = false
    var faults: [ServiceFault] = []
    var sinceClockTurned = TimeSpan.zero
  }

  private let state = Mutex(State())

  init(_ plan: Plan = .wait) { state.withLock { $0.plan = plan } }

  var heard: Heard { state.withLock { $0.heard } }

  /// Whether leases are over by the time somebody follows them.
  var isLeaseOver: Bool {
    get { state.withLock { $0.isLeaseOver } }
    set { state.withLock { $0.isLeaseOver = newValue } }
  }

  /// Forgets the clients, which keep their exchanges.
  func forget() { state.withLock { ($0.heard.clients, $0.heard.operating) = ([], []) } }

  func acquire(
    _ request: AcquireRequest, client: () -> any LeaseClient, at now: MonotonicInstant
  ) -> AcquireOutcome {
    let plan = state.withLock { state in
      state.heard.requests.append(request)
      return state.plan
    }
    switch plan {
    case .grant: return .granted(.sample(request))
    case .refuse(let code): return .refused(LeaseholdError(code, "Refused by plan."))
    case .wait:
      guard request.wait > .zero else { return .refused(LeaseholdError(.locked, "No wait.")) }
      let client = client()
      return state.withLock { state in
        state.heard.clients.append(client)
        return .waiting(WaiterID(state.heard.clients.count), behind: nil)
      }
    }
  }

  func convert(
    _ request: ConvertRequest, client: () -> any LeaseClient, at now: MonotonicInstant
  ) -> AcquireOutcome { .refused(LeaseholdError(.internalError, "not faked")) }

  func withdraw(_ withdrawal: Withdrawal, at now: MonotonicInstant) {
    state.withLock { state in
      switch withdrawal {
      case .waiter(let waiter): state.heard.canceled.append(waiter)
      case .grant(let grant): state.heard.undelivered.append(grant.lease)
      case .connection(let connection): state.heard.closed.append(connection)
      }
    }
  }

  func follow(_ lease: LeaseID, client: any LeaseClient) -> Bool {
    state.withLock { state in
      state.heard.followed.append(lease)
      state.heard.clients.append(client)
      return !state.isLeaseOver
    }
  }

  func breakLease(_ request: BreakRequest, at now: MonotonicInstant) throws(LeaseholdError) -> BreakOutcome {
    throw none()
  }

  func transfer(_ request: TransferRequest, at now: MonotonicInstant) throws(LeaseholdError) -> LeaseSnapshot {
    throw none()
  }

  func attach(_ request: AttachRequest, at now: MonotonicInstant) throws(LeaseholdError) -> LeaseSnapshot {
    throw none()
  }

  func cancel(
    key: String, of caller: Caller, at now: MonotonicInstant
  ) throws(LeaseholdError) -> CancelOutcome { throw none() }

  func checkStop(of process: ProcessBinding, for caller: Caller) throws(LeaseholdError) {}

  func process(
    _ asked: AskedProcess, of caller: Caller, socket: Int32
  ) throws(LeaseholdError) -> ProcessBinding { throw none() }

  private func none() -> LeaseholdError { LeaseholdError(.noSuchLease, "There is none.") }

  func release(
    _ lease: LeaseID, on lock: LockName?, early: Bool, within confinement: Confinement?, at now: MonotonicInstant
  ) throws(LeaseholdError) -> ReleaseOutcome {
    state.withLock { $0.heard.released.append(lease) }
    throw none()
  }

  func renew(
    _ lease: LeaseID, on lock: LockName?, ttl: TimeSpan?, within confinement: Confinement?, at now: MonotonicInstant
  ) throws(LeaseholdError) -> LeaseSnapshot { throw none() }

  func lease(
    _ lease: LeaseID, within confinement: Confinement?, at now: MonotonicInstant
  ) throws(LeaseholdError) -> LeaseSnapshot {
    .sample(AcquireRequest(key: LockKey(trusted: "a"), ttl: .zero, caller: .nobody))
  }

  func leases(_ filter: ListFilter) -> Page<LeaseSnapshot> { Page(entries: [], nextCursor: nil) }

  func releaseAll(
    owner: String, key: LockKey?, of caller: Caller?, within confinement: Confinement?, at now: MonotonicInstant
  ) -> [String] { [] }

  func lock(_ lock: LockName, listed: Int) throws(LeaseholdError) -> LockSnapshot { throw none() }

  func open(
    _ want: Want, for caller: Caller, at now: MonotonicInstant
  ) throws(LeaseholdError) -> OpenedLock { throw none() }

  func resize(
    _ request: ResizeRequest, for caller: Caller, at now: MonotonicInstant
  ) throws(LeaseholdError) -> OpenedLock { throw none() }

  func binding(_ key: LockKey, _ native: NativeRequest) throws(LeaseholdError) -> KeyBinding { throw none() }

  func locks(_ filter: ListFilter) -> Page<LockSnapshot> { Page(entries: [], nextCursor: nil) }

  func remove(
    _ lock: LockName, force: Bool, within confinement: Confinement?, at now: MonotonicInstant
  ) throws(LeaseholdError) { throw none() }

  func semaphoreSets(from cursor: Int, limit: Int) throws(LeaseholdError) -> SemaphoreInventory {
    SemaphoreInventory([], from: 0, limit: 0, SemaphoreLimits(), SemaphoreUsage()) { $0 }
  }

  func semaphoreSet(
    _ address: IPCAddress, for caller: Caller
  ) throws(LeaseholdError) -> SemaphoreSetDetail { throw none() }

  func operate(
    _ request: OperationRequest, client: (any OperationClient)?, at now: MonotonicInstant
  ) throws(LeaseholdError) -> OperationOutcome {
    state.withLock { state in
      state.heard.operations.append(request)
      guard let client else { return .performed(OperationResult(key: 5, id: 7, count: 1, waited: .zero)) }
      state.heard.operating.append(client)
      return .waiting(WaiterID(state.heard.operating.count))
    }
  }

  func cancelOperation(_ waiter: WaiterID) { state.withLock { $0.heard.canceledOperations.append(waiter) } }

  func status() -> ServiceStatus {
    var status = ServiceStatus()
    status.state = .ready
    state.withLock { status.faults = $0.faults }
    return status
  }

  var sinceClockTurned: TimeSpan { state.withLock { $0.sinceClockTurned } }

  func isAlive(within span: TimeSpan) -> Bool { sinceClockTurned <= span }

  func drain() {}

  func stop() {}

  /// All of it as an engine, with a store.
  func engine(_ store: any VariableStore) -> Engine {
    var engine = Engine(self, traits: EngineTraits(name: "fake"))
    (engine.native, engine.semaphores, engine.processes, engine.variables) = (self, self, self, store)
    return engine
  }

  /// Lets something fail.
  func ail(_ faults: [ServiceFault], sinceClockTurned: TimeSpan = .zero) {
    state.withLock { ($0.faults, $0.sinceClockTurned) = (faults, sinceClockTurned) }
  }
}

extension Caller {
  static let nobody = Caller(connection: 0, peer: .unknown)
}

extension LeaseSnapshot {
  static let sampleID = LeaseID(high: 0x0123_4567_89ab_cdef, low: 0xfedc_ba98_7654_3210)

  /// What a grant of the request looks like.
  static func sample(_ request: AcquireRequest) -> LeaseSnapshot {
    LeaseSnapshot(
      id: sampleID, key: request.key, kind: request.kind, mode: request.mode, count: request.count, units: 1, fence: 42,
      owner: request.owner, bindsConnection: request.bindsConnection, ttl: request.ttl, cooldown: request.cooldown,
      grantedAt: MonotonicInstant(nanoseconds: 0), peer: request.caller.peer,
      binding: SemaphoreBinding(key: 1, id: 2, semaphoreCount: 195, semaphore: 3))
  }
}

extension FakeService {
  func watch(
    _ lock: LockName, listed: Int, unless tags: [String], watcher: any LockWatcher
  ) throws(LeaseholdError) -> WatchOutcome { throw LeaseholdError(.noSuchLock, "There is none.") }

  func unwatch(_ watch: WatchID) {}

  func events(from number: UInt64, limit: Int) -> EventBatch { EventBatch() }
}
