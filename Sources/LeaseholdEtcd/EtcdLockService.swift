internal import EtcdGateway
internal import HTTPExchange
public import Leasehold
internal import LeaseholdHost
internal import LeaseholdQueue
import Synchronization

/// Locks and leases kept in etcd: the same on all servers of one cluster and prefix.
///
/// Only transactions that write decide; what this server sees chooses their guards, and may be old.
public final class EtcdLockService: LockService, EventService, LockWatchService, EngineLife {
  /// The time that one call has, over all endpoints.
  static let patience = Duration.seconds(5)
  private static let threadsMax = 128

  let configuration: EtcdConfiguration
  let store: QueueStore
  let state: Mutex<EtcdState>
  let pool = BlockingPool(named: "lh-etcd", threadsMax: threadsMax)
  let alarm = Alarm()
  /// Rings where changes are to be heard at once.
  let hurry = Alarm()
  let turned = Atomic<Int64>(HostClock.monotonic())
  let isStopped = Atomic(false)
  let watch = Mutex<EtcdWatch?>(nil)

  /// Sees the cluster once, and follows it from then on.
  ///
  /// - Throws: ``EtcdEngineError``.
  public init(_ configuration: EtcdConfiguration) throws(EtcdEngineError) {
    self.configuration = configuration
    let gateway = EtcdGateway(try Self.gateway(configuration))
    store = QueueStore(
      names: QueueNames(prefix: configuration.prefix), gateway: gateway, leases: LeasePool(gateway))
    state = Mutex(EtcdState(view: ClusterView(store), log: EventLog(capacity: configuration.limits.events)))
    do throws(EtcdFailure) {
      try openSession(before: Self.deadline())
      try look()
    } catch .refused(.denied, let reason) {
      throw .denied(reason)
    } catch .refused(.noGateway, let reason) {
      throw .unavailable("it has no JSON gateway there (\(reason)); start it with --enable-grpc-gateway=true")
    } catch {
      throw .unavailable(error.reason)
    }
    let threads = [
      HostThread(named: "lh-watch", stackBytes: HostThread.requestStackBytes) { [self] in follow() },
      HostThread(named: "lh-clock", stackBytes: HostThread.requestStackBytes) { [self] in runClock() },
    ]
    guard threads.allSatisfy({ $0 != nil }) else {
      isStopped.store(true, ordering: .relaxed)
      throw .noThread
    }
  }

  private static func gateway(
    _ configuration: EtcdConfiguration
  ) throws(EtcdEngineError) -> EtcdGateway.Configuration {
    var peers: [HTTPPeer] = []
    for text in configuration.endpoints {
      guard let address = ServiceAddress(text, port: 2379), text.utf8.starts(with: "http".utf8) else {
        throw .badEndpoint(text)
      }
      var peer = HTTPPeer(address, authorities: configuration.authorities, setting: "--etcd-ca")
      peer.certificate = configuration.certificate
      peers.append(peer)
    }
    guard !peers.isEmpty else { throw .badEndpoint("") }
    var gateway = EtcdGateway.Configuration(endpoints: peers)
    gateway.user = configuration.user
    return gateway
  }

  /// The engine over this service.
  public var engine: Engine {
    var traits = EngineTraits(name: "etcd")
    traits.mayBlock = true
    traits.ttlMin = .seconds(2)
    traits.expiryPrecision = .milliseconds(2500)
    traits.lacks = [
      .semaphores, .transfer, .endlessLeases, .shortLeases, .notes, .holdAtLeast, .addedLocks, .newestWins,
    ]
    return Engine(self, traits: traits)
  }

  var gateway: EtcdGateway { store.gateway }

  /// Nanoseconds.
  static let second: Int64 = 1_000_000_000

  /// The deadline of a call that begins now.
  static func deadline() -> Int64 { HostClock.monotonic(after: patience) }

  static func now() -> MonotonicInstant { MonotonicInstant(nanoseconds: HostClock.monotonic()) }

  /// Milliseconds of the wall clock.
  static func wall() -> Int64 { HostClock.wall() / 1_000_000 }

  /// Changes what is known, and runs afterwards what came of it.
  @discardableResult
  func change<Result>(_ body: (inout EtcdState, inout [@Sendable () -> Void]) -> Result) -> Result {
    var notices: [@Sendable () -> Void] = []
    let result = state.withLock { state in body(&state, &notices) }
    for notice in notices { notice() }
    return result
  }

  /// Does something on a thread of the pool; false where there is none.
  @discardableResult
  func run(_ body: @escaping @Sendable () -> Void) -> Bool {
    guard let place = try? pool.reserve() else { return false }
    place.run(body)
    return true
  }

  /// The time from one turn of the clock to the next, where nothing is due earlier: nanoseconds.
  static let turn: Int64 = 200_000_000

  /// Has the clock turn at an instant, nanoseconds of CLOCK_MONOTONIC, which it may not know of.
  func wake(by instant: Int64) {
    if instant < HostClock.monotonic() + Self.turn { alarm.ring() }
  }

  // MARK: Life

  /// Tells what is known of the cluster.
  public func status() -> ServiceStatus {
    state.withLock { state in
      var status = ServiceStatus()
      status.state = state.isDraining ? .draining : .ready
      status.locks = state.view.locks.count
      status.waiters = state.view.waiterCount
      status.leases = state.view.places.count - min(state.view.places.count, state.view.waiterCount)
      status.counters = state.counters
      status.cooling = state.view.coolingCount
      status.leases -= min(status.leases, status.cooling)
      var cluster = state.cluster
      (cluster.requests, cluster.unknownOutcomes) = (gateway.requests, gateway.unknownOutcomes)
      status.cluster = cluster
      if let fault = state.fault { status.faults = [ServiceFault(.cluster, fault)] }
      return status
    }
  }

  /// The time since the clock turned last.
  public var sinceClockTurned: TimeSpan {
    TimeSpan(nanoseconds: HostClock.monotonic() - turned.load(ordering: .relaxed))
  }

  /// Returns true when the clock has turned within a span.
  public func isAlive(within span: TimeSpan) -> Bool { sinceClockTurned <= span }

  /// Sends waiters away and grants nothing more; leases stay.
  public func drain() {
    let (calls, waiters) = change { state, _ in
      state.isDraining = true
      defer { (state.calls, state.waiters, state.waitersByLock) = ([:], [:], [:]) }
      return (Array(state.calls.values), Array(state.waiters.values))
    }
    for call in calls { call.client.refused(.draining()) }
    for waiter in waiters where !waiter.isBinding { giveUp(waiter) }
  }

  /// Ends it.
  public func stop() {
    isStopped.store(true, ordering: .relaxed)
    watch.withLock { $0?.cancel() }
    for alarm in [alarm, hurry] { alarm.ring() }
    pool.stop(by: HostClock.monotonic(after: .seconds(2)))
  }

  // MARK: Events and watches

  /// The events that this server saw.
  public func events(from number: UInt64, limit: Int) -> EventBatch {
    catchUp()
    return state.withLock { $0.log.events(from: number, limit: limit) }
  }

  /// The watcher is gone.
  public func unwatch(_ watch: WatchID) { state.withLock { $0.watches.remove(watch) } }

  /// Watches a lock as long as its tag is one of these.
  ///
  /// - Throws: `not-supported` for native names, `no-such-lock`, `too-many-waiters`.
  public func watch(
    _ lock: LockName, listed: Int, unless tags: [String], watcher: any LockWatcher
  ) throws(LeaseholdError) -> WatchOutcome {
    try checkPlain(lock)
    let limit = configuration.limits.waiters
    catchUp()
    defer { hurryUp() }
    return try state.withLock { state throws(LeaseholdError) in
      let snapshot = try Self.snapshot(lock.key, listed: listed, in: state)
      guard tags == ["*"] || tags.contains(snapshot.tag.text) else { return .changed(snapshot) }
      guard state.watches.count < limit else { throw .tooManyWaiters(limit) }
      return .watching(state.watches.add(EtcdNames.encoded(lock.key), watcher))
    }
  }
}
