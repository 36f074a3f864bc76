/// Every error code with its status and title: the one place that maps errors to HTTP.
///
/// `openapi.yaml` lists the same codes with what to do about each; a test compares the two.
enum ProblemCode: String, CaseIterable {
  case malformedRequest = "malformed-request"
  case badKey = "bad-key"
  case invalidParameter = "invalid-parameter"
  case missingParameter = "missing-parameter"
  case unknownParameter = "unknown-parameter"
  case duplicateParameter = "duplicate-parameter"
  case outOfRange = "out-of-range"
  case badJSON = "bad-json"
  case badSerialized = "bad-serialized"
  case unauthenticated
  case forbidden
  case foreignOrigin = "foreign-origin"
  case permissionDenied = "permission-denied"
  case ownSet = "own-set"
  case notFound = "not-found"
  case noSuchLock = "no-such-lock"
  case noSuchLease = "no-such-lease"
  case noSuchSet = "no-such-set"
  case noSuchProcess = "no-such-process"
  case noSuchSegment = "no-such-segment"
  case noSuchVariable = "no-such-variable"
  case noSuchPath = "no-such-path"
  case pathNotAllowed = "path-not-allowed"
  case noSuchSemaphore = "no-such-semaphore"
  case methodNotAllowed = "method-not-allowed"
  case notAcceptable = "not-acceptable"
  case notRepresentable = "not-representable"
  case bodyTooLarge = "body-too-large"
  case uriTooLong = "uri-too-long"
  case headersTooLarge = "headers-too-large"
  case unknownVersion = "unknown-version"
  case unsupportedMediaType = "unsupported-media-type"
  case hostNotAllowed = "host-not-allowed"
  case limitMismatch = "limit-mismatch"
  case kindMismatch = "kind-mismatch"
  case inUse = "in-use"
  case corruptSegment = "corrupt-segment"
  case exists
  case nsemsMismatch = "nsems-mismatch"
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
  case objectsRefused = "objects-refused"
  case locked
  case waitTimeout = "wait-timeout"
  case queueFull = "queue-full"
  case tooManyWaiters = "too-many-waiters"
  case tooManySubscribers = "too-many-subscribers"
  case callerLimit = "caller-limit"
  case draining
  case starting
  case degraded
  case clockStalled = "clock-stalled"
  case sysvUnavailable = "sysv-unavailable"
  case tooManyConnections = "too-many-connections"
  case kernelLimit = "kernel-limit"
  case segmentFull = "segment-full"
  case ledgerFull = "ledger-full"
  case tooManyProcesses = "too-many-processes"
  case nativeCountFull = "native-count-full"
  case tooManyNativeHandles = "too-many-native-handles"
  case ledgerDamaged = "ledger-damaged"
  case internalError = "internal"

  /// The HTTP status.
  var status: Int { row.status }
  /// The title: the same for every problem of this code.
  var title: StaticString { row.title }

  /// What to do about it, in a sentence or two.
  var help: String { row.help }

  struct Row {
    let status: Int
    let title: StaticString
    let help: String

    init(_ status: Int, _ title: StaticString, _ help: String) {
      self.status = status
      self.title = title
      self.help = help
    }
  }
}
