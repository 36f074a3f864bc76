/// An error in a form that a caller can act on: a stable code, a sentence that says what to do, and the facts.
public final class LeaseholdError: Error, Sendable {
  /// A stable, machine-readable name of something that can go wrong.
  ///
  /// Open: each layer adds its own. `openapi.yaml` lists them all.
  public struct Code: RawRepresentable, Hashable, Sendable {
    /// The name, in lower case with hyphens.
    public let rawValue: String

    /// Makes a code of a name.
    public init(rawValue: String) { self.rawValue = rawValue }
  }

  /// The value of a fact.
  public enum Value: Sendable, Equatable {
    case text(String)
    case number(Int64)
    /// Nanoseconds of CLOCK_MONOTONIC.
    case instant(Int64)
    case flag(Bool)
    case texts([String])
    case null
  }

  /// A sentence, or what it is made of: nothing is said more often than that a lock is held, so that one is put
  /// together where it is written.
  public enum Wording: Sendable {
    case sentence(String)
    /// The name of the contended lock comes before it: why it is not to be had, and what to do.
    case contention(StaticString, StaticString)
  }

  /// A fact that goes with an error: a member of the problem document.
  public typealias Fact = (name: String, value: Value)

  /// The stable code.
  public let code: Code
  /// The sentence that says what to do.
  public let wording: Wording
  /// Named facts, in order.
  public let facts: [Fact]
  /// The lock that is in the way, for ``Code/locked``, ``Code/waitTimeout`` and ``Code/queueFull``.
  public let contention: Contention?
  /// The waiters and holders that wait for each other, for ``Code/deadlock``.
  public let circle: [DeadlockStep]?
  /// When trying again makes sense.
  public let retryAfter: TimeSpan?

  /// Makes an error: out of line, so that the ways that make none are short.
  @inline(never)
  public convenience init(
    _ code: Code, _ detail: String, facts: [Fact] = [], contention: LockSnapshot? = nil,
    circle: [DeadlockStep]? = nil, retryAfter: TimeSpan? = nil
  ) {
    self.init(
      code, .sentence(detail), facts: facts, contention: contention.map(Contention.init), circle: circle,
      retryAfter: retryAfter)
  }

  init(
    _ code: Code, _ wording: Wording, facts: [Fact] = [], contention: Contention?, circle: [DeadlockStep]? = nil,
    retryAfter: TimeSpan?
  ) {
    self.code = code
    self.wording = wording
    self.facts = facts
    self.contention = contention
    self.circle = circle
    self.retryAfter = retryAfter
  }

  /// One sentence that says what to do.
  public var detail: String {
    switch wording {
    case .sentence(let text): text
    case .contention(let hindrance, let advice): "Lock '\(contention?.key.text ?? "")' \(hindrance)\(advice)."
    }
  }

  /// The same error with more facts, and with something before its sentence.
  public func adding(_ facts: [Fact], before prefix: String = "") -> LeaseholdError {
    LeaseholdError(
      code, .sentence(prefix + detail), facts: self.facts + facts, contention: contention, circle: circle,
      retryAfter: retryAfter)
  }

  /// The same error about a lock as another caller may see it.
  public func showing(_ contention: Contention) -> LeaseholdError {
    LeaseholdError(code, wording, facts: facts, contention: contention, circle: circle, retryAfter: retryAfter)
  }
}

/// The part of a lock's state that tells why it is not to be had: of a ``LockSnapshot`` what every refusal says.
public struct Contention: Sendable {
  /// The lock's name.
  public let key: LockKey
  /// The kind of the lock.
  public let kind: LockKind
  /// Free slots as callers count them.
  public let available: Int?
  /// Units held by processes that did not come through this service; `nil` where nobody can know.
  public let nativeUnits: Int?
  /// One of its holders, or of the leases that cool down; most locks have no other.
  public let first: Holder?
  /// The others; not more than a few.
  public let others: [Holder]
  /// The number of leases that are over for their holders while their slots cool down.
  public let coolingCount: Int
  /// The number of its waiters.
  public let waiterCount: Int
  /// The other locks for which the first in the queue waits, while this one has room for it.
  public var queuedFor: [LockKey]
}

extension Contention {
  /// Its holders, and the leases that cool down.
  public var holders: [Holder] { (first.map { [$0] } ?? []) + others }

  /// The same of a lock that was looked at.
  init(_ lock: LockSnapshot) {
    self.init(
      key: lock.key, kind: lock.kind, available: lock.available, nativeUnits: lock.nativeUnits,
      first: lock.holders.first, others: Array(lock.holders.dropFirst()), coolingCount: lock.coolingCount,
      waiterCount: lock.waiterCount, queuedFor: lock.queuedFor)
  }
}

// The names say what they are; what to do about each stands in `x-problem-codes` of openapi.yaml.
// swift-format-ignore: AllPublicDeclarationsHaveDocumentation
extension LeaseholdError.Code {
  public static let badKey = Self(rawValue: "bad-key")
  public static let outOfRange = Self(rawValue: "out-of-range")
  public static let invalidParameter = Self(rawValue: "invalid-parameter")
  public static let noSuchLock = Self(rawValue: "no-such-lock")
  public static let noSuchLease = Self(rawValue: "no-such-lease")
  public static let noSuchSet = Self(rawValue: "no-such-set")
  public static let noSuchPath = Self(rawValue: "no-such-path")
  public static let pathNotAllowed = Self(rawValue: "path-not-allowed")
  public static let noSuchSemaphore = Self(rawValue: "no-such-semaphore")
  public static let noSuchProcess = Self(rawValue: "no-such-process")
  public static let noSuchSegment = Self(rawValue: "no-such-segment")
  public static let noSuchVariable = Self(rawValue: "no-such-variable")
  public static let forbidden = Self(rawValue: "forbidden")
  public static let permissionDenied = Self(rawValue: "permission-denied")
  public static let ownSet = Self(rawValue: "own-set")
  public static let exists = Self(rawValue: "exists")
  public static let nsemsMismatch = Self(rawValue: "nsems-mismatch")
  public static let limitMismatch = Self(rawValue: "limit-mismatch")
  public static let kindMismatch = Self(rawValue: "kind-mismatch")
  public static let inUse = Self(rawValue: "in-use")
  public static let corruptSegment = Self(rawValue: "corrupt-segment")
  public static let superseded = Self(rawValue: "superseded")
  public static let canceled = Self(rawValue: "canceled")
  public static let deadlock = Self(rawValue: "deadlock")
  public static let expired = Self(rawValue: "expired")
  public static let released = Self(rawValue: "released")
  public static let broken = Self(rawValue: "broken")
  public static let rewritten = Self(rawValue: "rewritten")
  public static let undelivered = Self(rawValue: "undelivered")
  public static let setRemoved = Self(rawValue: "set-removed")
  public static let lockRemoved = Self(rawValue: "lock-removed")
  public static let staleFence = Self(rawValue: "stale-fence")
  public static let preconditionFailed = Self(rawValue: "precondition-failed")
  public static let countExceedsLimit = Self(rawValue: "count-exceeds-limit")
  public static let sameLockTwice = Self(rawValue: "same-lock-twice")
  public static let idempotencyMismatch = Self(rawValue: "idempotency-mismatch")
  public static let locked = Self(rawValue: "locked")
  public static let waitTimeout = Self(rawValue: "wait-timeout")
  public static let queueFull = Self(rawValue: "queue-full")
  public static let tooManyWaiters = Self(rawValue: "too-many-waiters")
  public static let callerLimit = Self(rawValue: "caller-limit")
  public static let draining = Self(rawValue: "draining")
  public static let starting = Self(rawValue: "starting")
  public static let engineUnavailable = Self(rawValue: "engine-unavailable")
  public static let outcomeUnknown = Self(rawValue: "outcome-unknown")
  public static let notSupported = Self(rawValue: "not-supported")
  public static let kernelLimit = Self(rawValue: "kernel-limit")
  public static let segmentFull = Self(rawValue: "segment-full")
  public static let ledgerFull = Self(rawValue: "ledger-full")
  public static let tooManyProcesses = Self(rawValue: "too-many-processes")
  public static let nativeCountFull = Self(rawValue: "native-count-full")
  public static let tooManyNativeHandles = Self(rawValue: "too-many-native-handles")
  public static let ledgerDamaged = Self(rawValue: "ledger-damaged")
  public static let internalError = Self(rawValue: "internal")
}
