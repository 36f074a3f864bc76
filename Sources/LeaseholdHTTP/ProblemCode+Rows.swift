extension ProblemCode {
  /// What the table says of each code, in the order of ``ProblemCode``.
  var row: Row {
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
    case .unauthenticated:
      Row(
        401, "The request has no token that counts here",
        """
        Send `Authorization: Bearer TOKEN` with a token of the service's file (`leasehold token` makes one).
        """)
    case .forbidden:
      Row(
        403, "The token is not for this",
        """
        See `needed_role` or `allowed_prefixes`; ask whoever keeps the file of tokens for another one.
        """)
    case .foreignOrigin:
      Row(
        403, "A web page of another origin may not change anything",
        """
        Send requests that change or wait from a program, or from a page of the same origin.
        """)
    case .permissionDenied:
      Row(
        403, "This belongs to another user",
        """
        See the detail. Of sets, segments and files the owner and mode bits decide (`ipcs`, `ls`); `errno` says more.
        """)
    case .ownSet:
      Row(
        403, "The service keeps this set for itself",
        """
        Use /locks and /leases for what stands in it, or make a set of your own.
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
    case .noSuchProcess:
      Row(
        422, "The process cannot be bound to",
        """
        Give the number of a process that runs, in your own PID namespace; or use bind=connection, hold or a ttl.
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
    case .noSuchPath:
      Row(
        404, "The file of a path lock cannot be made",
        """
        Make its folder first: the file itself is made as IPC::Semaphore::Concurrency does. The errno says more.
        """)
    case .pathNotAllowed:
      Row(
        403, "The path is outside the folders for path locks",
        """
        After links and .. are followed, the file must lie below one of the folders of --path-roots.
        """)
    case .noSuchSemaphore:
      Row(
        404, "The set has no semaphore of this number",
        """
        See `nsems`; numbers begin with 0.
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
    case .bodyTooLarge: Row(413, "The body is too large", "Send at most 64 KiB.")
    case .uriTooLong:
      Row(414, "The request target is too long", "Send at most 8 KiB; long parameters may go into the body.")
    case .headersTooLarge:
      Row(431, "The header fields are too large", "Send fewer or shorter ones: no cookies are needed here.")
    case .unknownVersion: Row(505, "This version of HTTP is not spoken here", "Send HTTP/1.1, or HTTP/1.0.")
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
        409, "Somebody holds this or waits for it",
        """
        Wait until it is idle, or say `force=true`.
        """)
    case .corruptSegment:
      Row(
        409, "The segment is not a whole segment of PHP",
        """
        See `reason`. Nothing was changed; `POST /segments` with `init=true` writes a new header.
        """)
    case .exists:
      Row(
        409, "The key has a set already",
        """
        Leave `exclusive` out to use it, or choose another key.
        """)
    case .nsemsMismatch:
      Row(
        409, "The set has another number of semaphores",
        """
        The member nsems is what the set has. Name that number, or remove the set when nobody uses it any more.
        """)
    case .superseded:
      Row(
        409, "A retry with the same Idempotency-Key took over",
        """
        Nothing to do if the retry is yours: it has this place in the queue now.
        """)
    case .deadlock:
      Row(
        409, "Waiting would never end",
        """
        The member circle tells who waits for whom. Release what the others wait for, and take the locks again: in the \
        same order everywhere, or all at once with POST /leases.
        """)
    case .expired:
      Row(
        410, "The lease has expired",
        """
        Somebody else may hold the lock by now: stop, and acquire again. `reason` says what ended it: its `ttl` \
        (renew in time, or use a longer one), or the connection or process that it was bound to.
        """)
    case .released:
      Row(410, "The lease was released", "Acquire again. With the `reason` transferred it goes on under another id.")
    case .broken:
      Row(410, "An operator ended the lease", "Stop; ask the operator before you acquire again.")
    case .rewritten:
      Row(
        410, "Another program wrote the values under the lease",
        """
        Stop: the writer counts the lock anew, and somebody else may hold it. Acquire again; find out who writes \
        (SETVAL).
        """)
    case .undelivered:
      Row(410, "The grant never reached its client and was undone", "Acquire again.")
    case .setRemoved:
      Row(410, "The semaphore set was removed by somebody", "Find out who did (ipcrm, or a request), and ask again.")
    case .lockRemoved:
      Row(410, "The lock was removed", "Acquire again; that makes it anew.")
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
    case .countExceedsLimit: Row(422, "More slots are asked for than the lock has", "Ask for at most `limit`.")
    case .sameLockTwice:
      Row(422, "The request wants one lock twice", "Name each lock once; names of one semaphore are one lock.")
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
    case .tooManySubscribers:
      Row(
        429, "As many follow the events as may",
        """
        Retry later, or raise `--max-event-subscribers`.
        """)
    case .callerLimit:
      Row(
        429, "The caller has as much as one caller may have",
        """
        See `limit_name`, a setting, and `maximum`; give something back, or wait, and try again.
        """)
    case .draining:
      Row(
        503, "The service is stopping",
        "Retry: a restarted service knows every lease.")
    case .starting:
      Row(
        503, "The service is recovering its leases",
        "Retry in a moment.")
    case .degraded:
      Row(
        503, "What leases rest on is gone",
        "See the detail for what was removed and why it is not made anew; the service is ready again when it can be.")
    case .clockStalled:
      Row(
        503, "The clock that ends leases does not turn",
        "Restart the service, which knows every lease afterwards, and report what its log says.")
    case .sysvUnavailable:
      Row(
        503, "There are no System V semaphores here",
        """
        See `errno`: ENOSYS or EPERM come from a kernel without them or a filter (seccomp); run the service without it.
        """)
    case .tooManyConnections:
      Row(
        503, "As many connections are open as may",
        "Retry later, close connections that nobody uses, or raise `--max-connections`.")
    case .kernelLimit:
      Row(
        507, "A limit of the kernel is reached",
        """
        See `errno`, `limit` and `value`, and the detail for what to do: memory to free, a limit of kernel.sem to \
        raise, or sets that nobody uses to remove.
        """)
    case .segmentFull:
      Row(
        507, "There is no room in the segment",
        """
        See `needed_bytes` and `free_bytes`; the old value stays. Remove variables, or make a larger \
        segment.
        """)
    case .ledgerFull:
      Row(507, "There is no room for another lease", "Release leases, or start the service with a larger ledger.")
    case .tooManyProcesses:
      Row(
        507, "Leases are bound to as many processes as may be",
        """
        Use `bind=connection`, `hold` or a `ttl`; or start the service with a larger `--max-processes`.
        """)
    case .nativeCountFull:
      Row(
        507, "A native lock's count of its users is full",
        """
        Ask with `wait`, which waits for room; or release leases, or close handles of native programs (`native_count`).
        """)
    case .tooManyNativeHandles:
      Row(
        507, "Too many native programs use the lock to grant a lease beside them",
        """
        Ask with `wait`, which waits until they are fewer; or close handles (`native_count`) down to `value`.
        """)
    case .ledgerDamaged:
      Row(
        500, "Somebody wrote the lock's values",
        """
        The lock is damaged: `mend` is the request that puts it right and touches no other lock.
        """)
    case .internalError:
      Row(500, "The service made a mistake", "Look in its log for the request id, and report it.")
    }
  }
}
