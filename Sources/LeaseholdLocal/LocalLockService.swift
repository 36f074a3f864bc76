public import Leasehold
import LeaseholdHost
import Synchronization
import SysV
import SystemPackage

/// The settings of this host's lock service.
public struct LocalServiceOptions: Sendable {
  /// The maxima.
  public var limits = Limits()
  /// Names the guard and the ledger; daemons with different keys do not know each other.
  ///
  /// For tests.
  public var controlKey: Int32 = 0x4c48_0001
  /// The mode of the sets that own locks live in.
  public var setMode: UInt32 = 0o600
  /// The folders below which the files of `path:` locks must lie, after links are followed.
  public var pathRoots = ["/tmp", "/var/tmp", "/run/lock"]
  /// The description of the service, for the error of a second daemon; for example the addresses.
  public var description = ""
  /// Told of leases that end without their holders' doing, about once a second.
  public var onEnds: (@Sendable (EndLog) -> Void)?
  /// True when the kernel is asked for the pidfd of a peer where it can give one, and not for the peer's number alone.
  public var usesPeerHandle = true
  /// Keeps the fence growing through a reboot with a clock set back; `nil` relies on the clock.
  public var stateDirectory: String?
  /// Hears what begins to fail and what works again; on any thread.
  public var onFault: (@Sendable (FaultNotice) -> Void)?
  /// Hears of values that do not add up, on the thread of the clock.
  public var onDrift: (@Sendable (LedgerEvent) -> Void)?
  /// Told of processes that cannot be stopped, though their leases are over; on any thread.
  public var onUnstopped: (@Sendable (_ pid: Int32, _ why: String) -> Void)?
  /// Told once when another daemon, with that number, has taken this one's place: it is over, and should end.
  public var onSucceeded: (@Sendable (_ pid: Int32) -> Void)?

  /// All defaults.
  public init() {}
}

/// The lock service of one host: the ledger in shared memory over the kernel's semaphores.
///
/// Life cycle: made with the guard in hand, which recovers the ledger before anything is answered; then calls from any
/// thread; ``drain()``; ``stop()``. One mutex covers the ledger: the straight line from a request to semop is inside
/// it.
public final class LocalLockService: LedgerService, SemaphoreService, EventService, ProcessService, EngineLife {
  struct Core {
    let ledger: Ledger
    let storage: LedgerSegment
    /// When the clock's thread wakes up by itself, in nanoseconds.
    var armed = Int64.max
  }

  let core: Mutex<Core>
  let alarm = Alarm()
  let wallOffset: Atomic<Int64>
  let isStopping = Atomic(false)
  /// When the clock's thread turned last.
  let clockTurn = Atomic(HostClock.monotonic())
  let pumps: PumpPool
  let operations: SleeperPool
  let lastOperation = Atomic<WaiterID>(0)
  let processes: ProcessFinder
  private let clockThread = Mutex<HostThread?>(nil)
  private let guardThread = Mutex<HostThread?>(nil)
  let daemonGuard: Mutex<DaemonGuard>
  let options: LocalServiceOptions
  /// The daemon that took this one's place.
  let successor = Atomic<Int32>(0)
  let hasToldSuccession = Atomic(false)
  private let inbox: PumpInbox
  let faults: FaultBook
  /// `nil` when the clock alone keeps fences growing.
  let fences: FenceKeeper?
  var controlSet: SemaphoreSet { daemonGuard.withLock(\.set) }

  /// Takes the guard, recovers the ledger and begins to serve.
  ///
  /// - Parameters:
  ///   - standby: True to wait for another daemon's end.
  ///   - goOn: Asked about once a second while waiting.
  /// - Throws: ``LocalServiceError``, each of whose cases says what to do.
  public init(_ options: LocalServiceOptions, standby: Bool = false, while goOn: () -> Bool = { true })
    throws(LocalServiceError)
  {
    var daemonGuard = try DaemonGuard(key: options.controlKey)
    self.options = options
    if let pid = try daemonGuard.tryTake() {
      guard standby else {
        throw .alreadyServed(pid: pid, description: LedgerSegment.description(key: options.controlKey))
      }
      daemonGuard = try daemonGuard.waitAndTake(while: goOn)
    }
    self.daemonGuard = Mutex(daemonGuard)
    let offset = HostClock.wallOffset()
    wallOffset = Atomic(offset)
    let faults = FaultBook(report: options.onFault)
    self.faults = faults
    let storage: LedgerSegment
    let pool: RandomPool
    do {
      storage = try LedgerSegment.open(
        key: IPCKey(rawValue: options.controlKey), capacity: options.limits.records)
      let last = storage.namedServer
      storage.name(.own(startedMicroseconds: (HostClock.monotonic() &+ offset) / 1000))
      try Self.awaitEnd(of: last, while: goOn)
      pool = try RandomPool()
      try KernelSemaphores.requireReadable(options.controlKey)
      fences = try Self.keepFences(options, storage, faults)
    } catch {
      daemonGuard.release()
      throw error
    }
    let inbox = PumpInbox()
    self.inbox = inbox
    let pumps = PumpPool(threadsMax: options.limits.pumps) { inbox.service?.pumpReported($0, $1) }
    self.pumps = pumps
    operations = SleeperPool(named: "lh-operation", threadsMax: options.limits.operationWaiters)
    let processes = ProcessFinder(
      ProcessWatch(processesMax: options.limits.processes, complain: options.onUnstopped) {
        inbox.service?.processEnded($0)
      },
      usesPeerHandle: options.usesPeerHandle)
    self.processes = processes
    let random = Mutex(pool)
    let ledger = Ledger(
      storage: storage,
      kernel: KernelSemaphores(
        controlKey: options.controlKey,
        mode: IPCMode(rawValue: UInt16(truncatingIfNeeded: options.setMode)), pathRoots: options.pathRoots),
      waiting: pumps, limits: options.limits, makeID: { random.withLock { $0.leaseID() } })
    let begun = HostClock.now()
    ledger.recover(at: Moment(monotonic: begun, wallOffset: offset))
    ledger.foundProcesses(processes.find(ledger.lostProcesses), at: Moment(monotonic: begun, wallOffset: offset))
    ledger.noteRecovery(took: HostClock.now() - begun)
    storage.describe(options.description)
    core = Mutex(Core(ledger: ledger, storage: storage))
    inbox.service = self
    guard startThreads() else {
      inbox.service = nil
      daemonGuard.release()
      throw .noThread
    }
  }

  /// Starts the threads; none runs when there cannot be all of them.
  private func startThreads() -> Bool {
    // A recovery that took long must not look like a clock that stands.
    clockTurn.store(HostClock.monotonic(), ordering: .relaxed)
    guard fences?.start() ?? true, processes.watch.start(),
      let thread = HostThread(named: "lh-clock", { [self] in runClock() })
    else {
      fences?.stop()
      processes.watch.stop()
      return false
    }
    clockThread.withLock { $0 = thread }
    // Without it a removed guard is noticed once a second.
    guardThread.withLock { $0 = HostThread(named: "lh-guard") { [self] in watchGuard() } }
    return true
  }

  /// Goes on from the mark in `--state-dir`, and sees that the next one can be written.
  private static func keepFences(
    _ options: LocalServiceOptions, _ storage: LedgerSegment, _ faults: FaultBook
  ) throws(LocalServiceError) -> FenceKeeper? {
    guard let directory = options.stateDirectory else { return nil }
    do {
      let lastFence = storage.header(.lastFence).within(0...FenceFile.largest) ?? 0
      let fences = try FenceKeeper(directory: directory, lastFence: lastFence) { error in
        faults.note(.stateDirectory, error.map { "\($0)" })
      }
      if fences.found > lastFence { storage.setHeader(.lastFence, fences.found) }
      return fences
    } catch {
      throw .stateDirectory(error)
    }
  }

  /// Stops granting: waiters are sent away, leases stay in the ledger.
  public func drain() {
    change { $0.drain() }
    operations.drain()
  }

  /// Ends the threads and lets the guard go.
  ///
  /// Leases stay for the next daemon.
  public func stop() {
    drain()
    isStopping.store(true, ordering: .sequentiallyConsistent)
    alarm.ring()
    clockThread.withLock { $0.take() }?.join()
    daemonGuard.withLock { $0.ring() }
    guardThread.withLock { $0.take() }?.join()
    fences?.stop()
    pumps.stop()
    operations.stop()
    processes.watch.stop()
    inbox.service = nil
    if successor.load(ordering: .relaxed) == 0 { daemonGuard.withLock { $0.release() } }
  }

  /// Runs a change of the ledger, then tells the clients that must hear of it, outside the mutex.
  ///
  /// - Throws: What the change throws.
  @inline(__always)
  public func change<Success: Sendable, Failure: Error>(
    _ body: (Ledger) throws(Failure) -> Success
  ) throws(Failure) -> Success {
    var mustRing = false
    var notices: [Notice] = []
    let result = core.withLock { core in
      if core.storage.namesAnother { lookWhoServes(core) }
      // The result is kept as a value: the notices of a call that failed are told as well.
      let result: Result<Success, Failure>
      do throws(Failure) { result = .success(try body(core.ledger)) } catch { result = .failure(error) }
      if let due = core.ledger.nextDue, due < core.armed {
        core.armed = due
        mustRing = true
      }
      notices = core.ledger.takeNotices()
      return result
    }
    if mustRing { alarm.ring() }
    for notice in notices { notice() }
    return try result.get()
  }

  /// True when another daemon has taken this one's place.
  public var isSucceeded: Bool { successor.load(ordering: .relaxed) != 0 }

  /// An instant on both clocks.
  public func moment(_ now: MonotonicInstant) -> Moment {
    Moment(monotonic: now, wallOffset: wallOffset.load(ordering: .relaxed))
  }
}

extension LocalLockService {
  /// The engine of this host: all of it, with `variables`.
  public func engine(variables: any VariableStore) -> Engine {
    var engine = Engine(self, traits: EngineTraits(name: "local"))
    engine.traits.recoveryGrace = core.withLock(\.ledger.limits.recoveryGrace)
    (engine.native, engine.semaphores, engine.processes) = (self, self, self)
    engine.variables = variables
    return engine
  }

  /// Where this user's daemon listens that serves the IPC namespace, or did so last: URLs, and paths of sockets.
  public static func ownAddresses() -> [String] {
    LedgerSegment.description(key: LocalServiceOptions().controlKey).split(separator: " and ").map(String.init)
  }
}

/// Carries reports from the pumps and the watch to the service, which does not exist yet when the pumps are made.
final class PumpInbox: Sendable {
  private let target = Mutex<LocalLockService?>(nil)

  var service: LocalLockService? {
    get { target.withLock { $0 } }
    set { target.withLock { $0 = newValue } }
  }
}
