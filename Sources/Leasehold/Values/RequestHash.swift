/// A number that differs, for all practical purposes, when requests do: tells a retry from another request.
struct RequestHash {
  private var hash: UInt64 = 0xcbf2_9ce4_8422_2325

  mutating func mix(_ value: UInt64) {
    hash = (hash ^ value) &* 0x0000_0100_0000_01b3
    hash ^= hash >> 29
  }

  mutating func mix(_ text: String) {
    for byte in text.utf8 { mix(UInt64(byte)) }
  }

  fileprivate var folded: UInt32 { UInt32(truncatingIfNeeded: hash ^ hash >> 32) }

  /// The hash of the request in the low half, the caller's door in the high one: so a record tells both after a
  /// restart.
  func fingerprint(of caller: Caller) -> UInt64 { UInt64(caller.door) << 32 | UInt64(folded) }
}

extension Caller {
  /// A number for the caller, as far as retries are concerned: a token, a user of the Unix socket, or all callers over
  /// TCP without a token.
  public var door: UInt32 {
    var hash = RequestHash()
    if let token = account?.token {
      hash.mix(1 << 34)
      hash.mix(token)
    } else {
      hash.mix(peer.uid.map { UInt64($0) | 1 << 35 } ?? 1 << 36)
    }
    return hash.folded
  }
}

/// An Idempotency-Key of one caller: the same key of another is another key.
public struct CallersKey: Hashable, Sendable {
  private let key: ExactText
  private let door: UInt32

  init(_ key: String, door: UInt32) {
    self.key = ExactText(key)
    self.door = door
  }

  /// The key of a caller.
  public init(_ key: String, of caller: Caller) { self.init(key, door: caller.door) }
}

extension AcquireRequest {
  /// Its Idempotency-Key, as its caller's.
  public var callersKey: CallersKey? { idempotencyKey.map { CallersKey($0, of: caller) } }
}

/// A caller's Idempotency-Key counts within one lock.
struct IdempotencyScope: Hashable {
  private let lock: LockKey
  /// The key, on any lock.
  let key: CallersKey

  /// The hash of what a request asks for; `nil` without a key.
  init?(_ request: AcquireRequest) {
    guard let key = request.idempotencyKey else { return nil }
    self.init(lock: request.key, key: key, door: request.caller.door)
  }

  init(lock: LockKey, key: String, door: UInt32) {
    self.lock = lock
    self.key = CallersKey(key, door: door)
  }
}
