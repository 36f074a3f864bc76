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
  case foreignOrigin = "foreign-origin"
  case permissionDenied = "permission-denied"
  case notFound = "not-found"
  case noSuchLock = "no-such-lock"
  case noSuchLease = "no-such-lease"
  case noSuchSet = "no-such-set"
  case noSuchSegment = "no-such-segment"
  case noSuchVariable = "no-such-variable"
  case methodNotAllowed = "method-not-allowed"
  case notAcceptable = "not-acceptable"
  case notRepresentable = "not-representable"
  case bodyTooLarge = "body-too-large"
  case uriTooLong = "uri-too-long"
  case unsupportedMediaType = "unsupported-media-type"
  case hostNotAllowed = "host-not-allowed"
  case limitMismatch = "limit-mismatch"
  case kindMismatch = "kind-mismatch"
  case inUse = "in-use"
  case corruptSegment = "corrupt-segment"
  case superseded
  case expired
  case released
  case broken
  case undelivered
  case connectionClosed = "connection-closed"
  case setRemoved = "set-removed"
  case lockRemoved = "lock-removed"
  case staleFence = "stale-fence"
  case preconditionFailed = "precondition-failed"
  case countExceedsLimit = "count-exceeds-limit"
  case idempotencyMismatch = "idempotency-mismatch"
  case objectsRefused = "objects-refused"
  case locked
  case waitTimeout = "wait-timeout"
  case queueFull = "queue-full"
  case tooManyWaiters = "too-many-waiters"
  case draining
  case starting
  case kernelLimit = "kernel-limit"
  case segmentFull = "segment-full"
  case ledgerFull = "ledger-full"
  case ledgerDamaged = "ledger-damaged"
  case internalError = "internal"

  /// The HTTP status.
  var status: Int { row.status }
  /// The title: the same for every problem of this code.
  var title: StaticString { row.title }

  /// What to do about it, in a sentence or two.
  var help: String { row.help }

  private struct Row {
    let status: Int
    let title: StaticString
    let help: String

    init(_ status: Int, _ title: StaticString, _ help: String) {
      self.status = status
      self.title = title
      self.help = help
    }
  }

  private var row: Row {
    switch self {
    case .malformedRequest:
      Row(
        400, "The request is not valid HTTP",
        """
        Check the request line, the headers and the percent-encoding.
        """)
    case .badKey:
      Row(
        400, "The key is not valid",
        """
        Use one percent-encoded path segment of 1..255 bytes of UTF-8 without control characters; write \
        a slash as %2F.
        """)
    case .invalidParameter:
      Row(
        400, "A parameter has a value that cannot be read",
        """
        See `parameter`, and `allowed` or the detail for what it takes.
        """)
    case .missingParameter:
      Row(
        400, "A required parameter is missing",
        """
        Give `parameter` in the query string, a form body or a JSON body.
        """)
    case .unknownParameter:
      Row(
        400, "No such parameter here",
        """
        See `known` for the names that this request takes.
        """)
    case .duplicateParameter:
      Row(
        400, "A parameter is given twice with different values",
        """
        Give it once, or with the same value each time.
        """)
    case .outOfRange:
      Row(
        400, "A number or duration is out of its range",
        """
        Stay between `minimum` and `maximum`.
        """)
    case .badJSON:
      Row(
        400, "The body is not the JSON that is wanted here",
        """
        Send one JSON object, each name once, without nested values; a variable takes any JSON value.
        """)
    case .badSerialized:
      Row(
        400, "The body is not what PHP's serialize() writes",
        """
        Send the text of one value, as PHP's serialize() returns it, with nothing behind it; see `offset`.
        """)
    case .foreignOrigin:
      Row(
        403, "A web page of another origin may not change anything",
        """
        Send changing requests from a program, or from a page of the same origin.
        """)
    case .permissionDenied:
      Row(
        403, "The kernel refuses access to this semaphore set",
        """
        See `errno`; the set's owner and mode bits decide (`ipcs -s`).
        """)
    case .notFound:
      Row(
        404, "No such path",
        """
        See `GET /` for the paths that exist.
        """)
    case .noSuchLock:
      Row(
        404, "No such lock",
        """
        A lock exists from its first acquire until it was idle for a while; see `GET /locks`.
        """)
    case .noSuchLease:
      Row(
        404, "No such lease",
        """
        Check the id and the lock's key; a lease that ended long ago is forgotten.
        """)
    case .noSuchSet:
      Row(
        404, "No such semaphore set",
        """
        See `GET /semaphores` for the sets of this IPC namespace.
        """)
    case .noSuchSegment:
      Row(
        404, "No such segment of shared memory",
        """
        See `GET /segments`; make one with `POST /segments`.
        """)
    case .noSuchVariable:
      Row(
        404, "No such variable in this segment",
        """
        See `GET /shm` for those it has; a stored null is 200.
        """)
    case .methodNotAllowed:
      Row(
        405, "This path does not know this method",
        """
        See the Allow header.
        """)
    case .notAcceptable:
      Row(
        406, "No acceptable media type can be answered",
        """
        Accept application/json, or text/plain for acquire, hold and errors.
        """)
    case .notRepresentable:
      Row(
        406, "The value cannot be shown as JSON",
        """
        Ask for `Accept: application/vnd.php.serialized`.
        """)
    case .limitMismatch:
      Row(
        409, "The lock is in use with another limit",
        """
        Ask for the same `limit`, or wait until the lock is idle.
        """)
    case .kindMismatch:
      Row(
        409, "The lock is in use as another kind of lock",
        """
        Give `limit` for a counting lock and leave it out for a readers-writer lock, or wait until the \
        lock is idle.
        """)
    case .inUse:
      Row(
        409, "The lock is held or waited for",
        """
        Wait until it is idle, or say `force=true`.
        """)
    case .corruptSegment:
      Row(
        409, "The segment is not a whole segment of PHP",
        """
        See `reason`. Nothing was changed; `POST /segments` with `init=true` writes a new header.
        """)
    case .superseded:
      Row(
        409, "A retry with the same Idempotency-Key took over",
        """
        Nothing to do if the retry is yours: it has this place in the queue now.
        """)
    case .expired:
      Row(
        410, "The lease has expired",
        """
        Somebody else may hold the lock by now: stop, acquire again, and use a longer ttl or renew in \
        time.
        """)
    case .released:
      Row(
        410, "The lease was released",
        """
        Acquire again.
        """)
    case .broken:
      Row(
        410, "An operator ended the lease",
        """
        Stop; ask the operator before you acquire again.
        """)
    case .undelivered:
      Row(
        410, "The grant never reached its client and was undone",
        """
        Acquire again.
        """)
    case .connectionClosed:
      Row(
        410, "The connection that the lease was bound to has ended",
        """
        Acquire again on a connection that stays open.
        """)
    case .setRemoved:
      Row(
        410, "The semaphore set of the lock was removed by somebody",
        """
        Find out who ran ipcrm; acquire again.
        """)
    case .lockRemoved:
      Row(
        410, "The lock was removed",
        """
        Acquire again; that makes it anew.
        """)
    case .staleFence:
      Row(
        412, "A newer fence was seen for this segment",
        """
        Stop: somebody else holds the lock by now. Acquire again and send the new lease's fence.
        """)
    case .preconditionFailed:
      Row(
        412, "The variable is not what If-Match or If-None-Match asks for",
        """
        Read it again, and write with the new ETag.
        """)
    case .bodyTooLarge:
      Row(
        413, "The body is too large",
        """
        See `maximum_bytes` and the setting that the detail names.
        """)
    case .uriTooLong:
      Row(
        414, "The request target is too long",
        """
        Send at most 8 KiB; long parameters may go into the body.
        """)
    case .unsupportedMediaType:
      Row(
        415, "The body has a media type that is not read here",
        """
        Send application/json or application/x-www-form-urlencoded.
        """)
    case .hostNotAllowed:
      Row(
        421, "The Host header names another host",
        """
        Use localhost or a loopback address, or have the name configured.
        """)
    case .countExceedsLimit:
      Row(
        422, "More slots are asked for than the lock has",
        """
        Ask for at most `limit`.
        """)
    case .idempotencyMismatch:
      Row(
        422, "The Idempotency-Key was used with other parameters",
        """
        Use a new key for a new request.
        """)
    case .objectsRefused:
      Row(
        422, "Serialized objects are not stored",
        """
        Store arrays and scalars, or start the service with `--shm-objects=allow` if you trust all callers.
        """)
    case .locked:
      Row(
        423, "The lock is held",
        """
        Retry after `retry_after_ms`, or give `wait`.
        """)
    case .waitTimeout:
      Row(
        423, "The lock was still held when the wait was over",
        """
        Retry, or give a longer `wait`.
        """)
    case .queueFull:
      Row(
        423, "As many as max_waiters wait already",
        """
        Retry after `retry_after_ms`, or raise `max_waiters`.
        """)
    case .tooManyWaiters:
      Row(
        429, "The service has as many waiters as it takes",
        """
        Retry later.
        """)
    case .internalError:
      Row(
        500, "The service made a mistake",
        """
        Look in its log for the request id, and report it.
        """)
    case .ledgerDamaged:
      Row(
        500, "Somebody wrote into the ledger",
        """
        See the log; the lock's set is not used any more.
        """)
    case .draining:
      Row(
        503, "The service is stopping",
        """
        Retry: a restarted service knows every lease.
        """)
    case .starting:
      Row(
        503, "The service is recovering its leases",
        """
        Retry in a moment.
        """)
    case .kernelLimit:
      Row(
        507, "A limit of the kernel is reached",
        """
        See `limit` and `value`; raise kernel.sem, or remove sets that nobody uses.
        """)
    case .segmentFull:
      Row(
        507, "There is no room in the segment",
        """
        See `needed_bytes` and `free_bytes`; the old value stays. Remove variables, or make a larger \
        segment.
        """)
    case .ledgerFull:
      Row(
        507, "There is no room for another lease",
        """
        Release leases, or start the service with a larger ledger.
        """)
    }
  }
}
