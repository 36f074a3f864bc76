/// What went wrong, in a form that a caller can act on: a stable code, a sentence that says what to do, and the facts.
///
/// Its members are those of ``Content``.
@dynamicMemberLookup
public struct LeaseholdError: Error, Sendable {
  /// The stable, machine-readable names of everything that can go wrong in the lock service.
  public enum Code: String, Sendable, CaseIterable {
    case badKey = "bad-key"
    case outOfRange = "out-of-range"
    case invalidParameter = "invalid-parameter"
    case noSuchLock = "no-such-lock"
    case noSuchLease = "no-such-lease"
    case noSuchSet = "no-such-set"
    case noSuchPath = "no-such-path"
    case pathNotAllowed = "path-not-allowed"
    case noSuchSemaphore = "no-such-semaphore"
    case noSuchProcess = "no-such-process"
    case noSuchSegment = "no-such-segment"
    case noSuchVariable = "no-such-variable"
    case forbidden
    case permissionDenied = "permission-denied"
    case ownSet = "own-set"
    case exists
    case nsemsMismatch = "nsems-mismatch"
    case limitMismatch = "limit-mismatch"
    case kindMismatch = "kind-mismatch"
    case inUse = "in-use"
    case corruptSegment = "corrupt-segment"
    case superseded
    case deadlock
    case expired
    case released
    case broken
    case rewritten
    case undelivered
    case setRemoved = "set-removed"
    case lockRemoved = "lock-removed"
    case staleFence = "stale-fence"
    case preconditionFailed = "precondition-failed"
    case countExceedsLimit = "count-exceeds-limit"
    case sameLockTwice = "same-lock-twice"
    case idempotencyMismatch = "idempotency-mismatch"
    case locked
    case waitTimeout = "wait-timeout"
    case queueFull = "queue-full"
    case tooManyWaiters = "too-many-waiters"
    case callerLimit = "caller-limit"
    case draining
    case starting
    case kernelLimit = "kernel-limit"
    case segmentFull = "segment-full"
    case ledgerFull = "ledger-full"
    case tooManyProcesses = "too-many-processes"
    case nativeCountFull = "native-count-full"
    case tooManyNativeHandles = "too-many-native-handles"
    case ledgerDamaged = "ledger-damaged"
    case internalError = "internal"
  }

  /// A fact that goes with an error: a member of the problem document.
  public enum Value: Sendable, Equatable {
    case text(String)
    case number(Int64)
    case flag(Bool)
    case texts([String])
    case none
  }

  /// What an error says.
  public struct Content: Sendable {
    /// The stable code.
    public var code: Code
    /// One sentence that says what to do.
    public var detail: String
    /// Named facts, in order.
    public var facts: [(name: String, value: Value)]
    /// Who is in the way, for ``Code/locked``, ``Code/waitTimeout`` and ``Code/queueFull``.
    public var contention: LockSnapshot?
    /// Who waits for whom, for ``Code/deadlock``.
    public var circle: [DeadlockStep]?
    /// When trying again makes sense.
    public var retryAfter: TimeSpan?
  }

  private var content: Boxed<Content>

  /// Makes an error.
  public init(
    _ code: Code, _ detail: String, facts: [(name: String, value: Value)] = [], contention: LockSnapshot? = nil,
    retryAfter: TimeSpan? = nil
  ) {
    content = Boxed(
      Content(code: code, detail: detail, facts: facts, contention: contention, retryAfter: retryAfter))
  }

  /// A member of ``Content``.
  public subscript<Member>(dynamicMember path: WritableKeyPath<Content, Member>) -> Member {
    get { content.value[keyPath: path] }
    set { content.value[keyPath: path] = newValue }
  }
}
