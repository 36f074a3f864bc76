import Leasehold

/// One play of one scenario: requests with defaults, and answers with names.
final class ConformanceRun {
  let host: any ConformanceHost
  private let prefix: String

  var service: any LockService { host.engine.locks }

  init(_ host: any ConformanceHost, prefix: String) {
    self.host = host
    self.prefix = prefix
  }

  func expect(_ condition: Bool, _ what: String) throws(ConformanceFailure) {
    guard condition else { throw ConformanceFailure(description: what) }
  }

  func key(_ name: String = "a") throws(ConformanceFailure) -> LockKey {
    do {
      return try LockKey(utf8: (prefix + "/" + name).utf8.prefix(LockKey.bytesMax))
    } catch {
      throw ConformanceFailure(description: "'\(name)' is no name for a lock: \(error)")
    }
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

    var waiter: WaiterID? {
      if case .waiting(let waiter, _) = outcome { waiter } else { nil }
    }
  }

  func acquire(
    _ name: String = "a", _ change: (inout AcquireRequest) -> Void = { _ in }
  ) throws(ConformanceFailure) -> Asked {
    var request = AcquireRequest(
      key: try key(name), ttl: .seconds(60), caller: Caller(connection: 1, peer: .unknown))
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
    _ name: String = "a", _ change: (inout AcquireRequest) -> Void = { _ in }
  ) throws(ConformanceFailure) -> LeaseSnapshot {
    let asked = try acquire(name, change)
    guard let lease = asked.lease else {
      throw ConformanceFailure(description: "a free lock was not granted: \(asked.refusal?.rawValue ?? "it queued")")
    }
    return lease
  }

  /// The lease that a waiter must get now.
  func getsLease(_ asked: Asked, _ who: String) throws(ConformanceFailure) -> LeaseSnapshot {
    _ = host.eventually { asked.lease != nil || asked.client.answers > 0 }
    guard let lease = asked.lease else {
      throw ConformanceFailure(description: "\(who) did not get the lock: \(asked.refusal?.rawValue ?? "it waits")")
    }
    return lease
  }

  /// A call that must not fail.
  func succeeds<Answer>(
    _ what: String, _ call: () throws(LeaseholdError) -> Answer
  ) throws(ConformanceFailure) -> Answer {
    do throws(LeaseholdError) {
      return try call()
    } catch {
      throw ConformanceFailure(description: "\(what): \(error.code.rawValue)")
    }
  }

  func release(_ lease: LeaseSnapshot) throws(ConformanceFailure) {
    do {
      _ = try service.release(lease.id, on: LockName(lease.key), early: false, within: nil, at: host.now)
    } catch {
      throw ConformanceFailure(description: "a live lease could not be released: \(error.code.rawValue)")
    }
  }

  /// The way in which a lease ended; `nil` while it lives.
  func end(_ lease: LeaseSnapshot) -> LeaseholdError.Code? {
    do {
      _ = try service.lease(lease.id, at: host.now)
      return nil
    } catch {
      return error.code
    }
  }
}
