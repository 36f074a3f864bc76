import Glibc
import HostTestKit
import LeaseholdHost
import LeaseholdTestKit
import Synchronization
import SysV
import Testing

@testable import Leasehold
@testable import LeaseholdLocal

/// A control key of its own, the services a test runs under it, and a broom.
///
/// Everything that carries the key is removed when the scene ends, whatever happened.
final class Scene {
  let key: Int32
  var options: LocalServiceOptions
  private var running: [LocalLockService] = []

  /// The low half of a control key is that of its banks' keys, so each scene counts it up.
  private static let counter = Atomic(UInt32.random(in: 1...0xffff))

  init(highHalf: UInt32 = 0x2a5d, lowHalf: UInt32? = nil) {
    let low = (lowHalf ?? Self.counter.add(1, ordering: .relaxed).newValue) & 0xffff
    key = Int32(bitPattern: highHalf << 16 | max(low, 1))
    options = LocalServiceOptions()
    options.controlKey = key
    options.limits.leases = 500
    options.limits.tombstones = 50
    options.limits.recoveryGrace = .milliseconds(200)
  }

  deinit {
    for service in running { service.stop() }
    if let control { try? control.remove() }
    if let segment { try? segment.remove() }
    for bank in banks { try? bank.remove() }
  }

  func start(standby: Bool = false, while goOn: () -> Bool = { true }) throws -> LocalLockService {
    let service = try LocalLockService(options, standby: standby, while: goOn)
    running.append(service)
    return service
  }

  func stop(_ service: LocalLockService) {
    running.removeAll { $0 === service }
    service.stop()
  }

  /// Stops a service and starts another over what it left.
  func restart(_ service: LocalLockService) throws -> LocalLockService {
    stop(service)
    return try start()
  }

  var control: SemaphoreSet? { try? SemaphoreSet.open(key: IPCKey(rawValue: key)) }

  var segment: SharedMemorySegment? { try? SharedMemorySegment.open(key: IPCKey(rawValue: key)) }

  /// The sets under the keys of this scene's banks.
  var banks: [SemaphoreSet] {
    let entries = (try? IPCInventory.semaphoreSets()) ?? []
    return entries.filter {
      let key = UInt32(bitPattern: $0.status.permissions.key.rawValue)
      return $0.status.count == NamedDialect.semaphoresPerBank && key & 0xffff == UInt32(bitPattern: self.key) & 0xffff
    }.map(\.set)
  }
}

/// The bank that a lease stands in.
extension LeaseSnapshot {
  var bank: SemaphoreSet { SemaphoreSet(id: place.id) }
}

func lockKey(_ name: String) throws -> LockKey { try LockKey(utf8: name.utf8) }

extension LocalLockService {
  static let caller = Caller(connection: 7, peer: .unknown)

  func request(_ name: String, limit: Int? = nil, ttl: TimeSpan = .seconds(60)) throws -> AcquireRequest {
    var request = AcquireRequest(key: try lockKey(name), ttl: ttl, caller: Self.caller)
    request.limit = limit
    return request
  }

  func acquire(
    _ request: AcquireRequest, _ client: @autoclosure () -> any LeaseClient = RecordingClient()
  ) -> AcquireOutcome {
    acquire(request, client: client, at: HostClock.now())
  }

  /// A lease that must be granted at once.
  func take(_ name: String, limit: Int? = nil, ttl: TimeSpan = .seconds(60)) throws -> LeaseSnapshot {
    switch acquire(try request(name, limit: limit, ttl: ttl)) {
    case .granted(let lease): return lease
    case .refused(let error): throw error
    case .waiting: throw NeverHappened()
    }
  }

  /// A wait that must begin.
  @discardableResult
  func wait(
    _ name: String, limit: Int? = nil, ttl: TimeSpan = .seconds(60), for wait: TimeSpan = .seconds(60),
    _ client: any LeaseClient
  ) throws -> WaiterID {
    var request = try request(name, limit: limit, ttl: ttl)
    request.wait = wait
    switch acquire(request, client) {
    case .waiting(let waiter, _): return waiter
    case .granted: throw NeverHappened()
    case .refused(let error): throw error
    }
  }

  func refusal(_ name: String, limit: Int? = nil) throws -> LeaseholdError? {
    if case .refused(let error) = acquire(try request(name, limit: limit)) { error } else { nil }
  }

  func giveBack(_ lease: LeaseSnapshot) throws { _ = try release(lease.id, at: HostClock.now()) }

  /// How a lease ended; `nil` while it has not.
  func end(of lease: LeaseSnapshot) -> LeaseholdError.Code? {
    do throws(LeaseholdError) {
      _ = try self.lease(lease.id, at: HostClock.now())
      return nil
    } catch {
      return error.code
    }
  }
}
