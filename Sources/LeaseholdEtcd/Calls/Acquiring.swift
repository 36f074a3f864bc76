internal import EtcdGateway
public import Leasehold
internal import LeaseholdHost
internal import LeaseholdQueue
import Synchronization

// Taking locks: at once where there is room behind all, else by a place in the queue.
extension EtcdLockService {
  /// Asks etcd; the client hears of what waits.
  public func acquire(
    _ request: AcquireRequest, client: () -> any LeaseClient, at now: MonotonicInstant
  ) -> AcquireOutcome {
    let id = LeaseID(high: .random(in: .min ... .max), low: .random(in: .min ... .max))
    return begin(.lease(request, id), client, at: now)
  }

  /// Refuses what this engine does not have.
  ///
  /// - Throws: `not-supported`, `count-exceeds-limit`, `same-lock-twice`.
  func check(_ request: AcquireRequest) throws(LeaseholdError) {
    for (index, want) in request.wants.enumerated() {
      try checkPlain(want.lock)
      // A lease has one place in a lock's queue.
      if request.wants[..<index].contains(where: { $0.lock.key == want.lock.key }) {
        throw .sameLockTwice(want.lock.key, want.lock.key, "which a lease on etcd has once")
      }
      let limit = want.limit ?? 1
      guard want.count <= limit else { throw .countExceeds(want.count, limit) }
    }
    if request.process != nil {
      throw .notSupported("A process can be watched on its own host only.", instead: "hold, or renew")
    }
    if request.ttl == .zero, !request.bindsConnection {
      throw .notSupported("A lease on etcd needs a ttl.", instead: "a ttl, or bind=connection")
    }
  }

  /// Throws for native names.
  ///
  /// - Throws: `not-supported`.
  func checkPlain(_ lock: LockName) throws(LeaseholdError) {
    guard lock.native == nil, lock.key.native == nil else {
      throw .notSupported(
        "This name is a semaphore of one host.", instead: "a plain name, or the Leasehold of that host")
    }
  }

  /// A part of a lock as its queue has it.
  static func part(_ want: Want) -> Wish.Part {
    let units = want.limit == nil ? (want.mode == .shared ? 1 : QueueKind.readerUnits) : want.count
    return Wish.Part(EtcdNames.encoded(want.lock.key), units: units, kind: QueueKind(limit: want.limit), insists: true)
  }

  /// The places that a request wants.
  func wish(_ request: AcquireRequest, _ id: LeaseID) -> Wish {
    let ttl = request.ttl == .zero ? Self.ttlOfBound : request.ttl
    var value = EntryValue(units: 0, ttl: ttl.millisecondsRoundedUp, mark: .random(in: .min ... .max))
    value.cooldown = request.cooldown.millisecondsRoundedUp
    (value.owner, value.peer) = (request.owner, request.caller.inWords)
    (value.ref, value.at, value.isBound) = (id.ref, Self.wall(), request.bindsConnection)
    value.retry = Self.hash(of: request)
    var wish = Wish(EtcdNames.entry(of: id), request.wants.map { Self.part($0) }, value: value)
    (wish.waits, wish.maxWaiters) = (request.wait > .zero, request.maxWaiters)
    wish.queueMax = min(configuration.limits.waitersPerLock, QueueStore.entriesMax)
    if let key = request.idempotencyKey {
      wish.retry.fingerprint = Self.fingerprint(request)
      wish.retry.secret = EtcdNames.hidden(id, by: key, request.key).text
    }
    return wish
  }

  /// The name of what an Idempotency-Key has got; `nil` without one.
  static func hash(of request: AcquireRequest) -> String? {
    request.idempotencyKey.map { hash(of: $0, on: request.key, by: request.caller) }
  }

  /// The name of what a caller's Idempotency-Key has got on a lock.
  static func hash(of key: String, on lock: LockKey, by caller: Caller) -> String {
    EtcdNames.digest("key", lock.text, key, String(caller.door))
  }

  private static func fingerprint(_ request: AcquireRequest) -> String {
    let others = request.others.map { "\($0.lock.key) \($0.mode.rawValue) \($0.limit ?? 0) \($0.count)" }
    return String(request.fingerprint, radix: 16)
      + (others.isEmpty ? "" : EtcdNames.digest(others.joined(separator: "\n")))
  }

  /// The id of the lease that a call has got: its own, or that of an earlier attempt.
  func id(of place: any QueueCall, for call: Call) -> LeaseID {
    switch call.wanted {
    case .mode(let request): return request.lease
    case .lease(let request, let own):
      guard let attempt = place as? Attempt, attempt.name != attempt.wish.name, let retried = attempt.retried,
        let hidden = LeaseID(hexadecimal: retried.secret.utf8), let key = request.idempotencyKey
      else { return own }
      return EtcdNames.hidden(hidden, by: key, request.key)
    }
  }
}
