import Leasehold

/// One play of one scenario: requests with defaults, and answers with names.
final class ConformanceRun {
  let host: any ConformanceHost
  private let prefix: String
  let caller = Caller(connection: 1, peer: .unknown)

  var service: any LockService { host.engine.locks }

  init(_ host: any ConformanceHost, prefix: String) {
    self.host = host
    self.prefix = prefix
  }

  func expect(_ condition: Bool, _ what: String) throws {
    guard condition else { throw ConformanceFailure(description: what) }
  }

  func key(_ name: String = "a") throws -> LockKey {
    try LockKey(utf8: (prefix + "/" + name).utf8.prefix(LockKey.bytesMax))
  }

  /// An acquire and the client that asked for it.
  struct Asked {
    let outcome: AcquireOutcome
    let client: RecordingClient

    var lease: LeaseSnapshot? {
      if case .granted(let lease) = outcome { lease } else { client.lease }
    }

    var refusal: LeaseholdError.Code? {
      if case .refused(let error) = outcome { error.code } else { client.refusal?.code }
    }
  }

  func acquire(
    _ name: String = "a", limit: Int? = nil, count: Int = 1, wait: TimeSpan = .zero, retry: String? = nil,
    _ change: (inout AcquireRequest) -> Void = { _ in }
  ) throws -> Asked {
    var request = AcquireRequest(key: try key(name), ttl: .seconds(60), caller: caller)
    (request.limit, request.count, request.wait, request.idempotencyKey) = (limit, count, wait, retry)
    change(&request)
    let (client, before) = (RecordingClient(), waiting(for: request.key))
    let outcome = service.acquire(request, client: { client }, at: host.now)
    // An engine may take its time to say that it waits for nothing, and until it has a place in the queue.
    if case .waiting = outcome, request.wait == .zero || host.engine.traits.mayBlock {
      _ = host.eventually { client.answers > 0 || request.wait > .zero && waiting(for: request.key) > before }
    }
    return Asked(outcome: outcome, client: client)
  }

  /// The number of waiters of a lock.
  private func waiting(for key: LockKey) -> Int { (try? service.lock(key))?.waiterCount ?? 0 }

  /// An acquire that must be granted at once.
  func granted(
    _ name: String = "a", limit: Int? = nil, count: Int = 1, retry: String? = nil,
    _ change: (inout AcquireRequest) -> Void = { _ in }
  ) throws -> LeaseSnapshot {
    try getsLease(try acquire(name, limit: limit, count: count, retry: retry, change), "who asked for a free lock")
  }

  /// The lease that a waiter must get now.
  func getsLease(_ asked: Asked, _ who: String) throws -> LeaseSnapshot {
    _ = host.eventually { asked.lease != nil || asked.client.answers > 0 }
    guard let lease = asked.lease else {
      throw ConformanceFailure(description: "\(who) did not get the lock: \(asked.refusal?.rawValue ?? "it waits")")
    }
    return lease
  }

  func release(_ lease: LeaseSnapshot) throws {
    _ = try service.release(lease.id, on: LockName(lease.key), early: false, within: nil, at: host.now)
  }

  /// The error of a call; `nil` where it does what it is asked for.
  func refusal<Answer>(_ call: @autoclosure () throws(LeaseholdError) -> Answer) -> LeaseholdError? {
    do {
      _ = try call()
      return nil
    } catch {
      return error
    }
  }

  /// The way in which a lease ended; `nil` while it lives.
  func end(_ lease: LeaseSnapshot) -> LeaseholdError.Code? { refusal(try service.lease(lease.id, at: host.now))?.code }
}
