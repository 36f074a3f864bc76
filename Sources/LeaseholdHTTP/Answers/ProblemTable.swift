import Leasehold

/// The status and the title of every error code: the one place that maps errors to HTTP.
///
/// `openapi.yaml` has the same rows, and with each what to do about it; `Tests/Tidy` compares the two.
enum ProblemTable {
  /// The row of a code: its status and its title.
  ///
  /// An object, because each refusal looks at one and it is large to copy.
  final class Row: Sendable {
    let status: UInt16
    /// The same for every problem of the code.
    let title: StaticString
    /// The challenge that goes with a 401.
    let challenge: String?
    /// The text of each problem of the code before its sentence, and behind that up to the request's id.
    let (before, behind): ([UInt8], [UInt8])

    init(
      _ status: UInt16, _ title: StaticString, challenge: String? = nil, of code: LeaseholdError.Code? = nil
    ) {
      (self.status, self.title, self.challenge) = (status, title, challenge)
      let name = code?.rawValue ?? ""
      before = Array("{\"type\":\"/problems/\(name)\",\"title\":\"\(title)\",\"status\":\(status),\"detail\":\"".utf8)
      behind = Array("\",\"code\":\"\(name)\",\"request_id\":\"".utf8)
    }
  }

  /// The rows, in the order in which metrics list them.
  static let rows: KeyValuePairs<LeaseholdError.Code, Row> = [
    .malformedRequest: Row(400, "The request is not valid HTTP"),
    .badKey: Row(400, "The key is not valid"),
    .invalidParameter: Row(400, "A parameter has a value that cannot be read"),
    .missingParameter: Row(400, "A required parameter is missing"),
    .unknownParameter: Row(400, "No such parameter here"),
    .duplicateParameter: Row(400, "A parameter is given twice with different values"),
    .outOfRange: Row(400, "A number or duration is out of its range"),
    .badJSON: Row(400, "The body is not the JSON that is wanted here"),
    .badSerialized: Row(400, "The body is not what PHP's serialize() writes"),
    .unauthenticated: Row(
      401, "The request has no token that counts here", challenge: "Bearer realm=\"leasehold\""),
    .forbidden: Row(403, "The token is not for this"),
    .foreignOrigin: Row(403, "A web page of another origin may not change anything"),
    .permissionDenied: Row(403, "This belongs to another user"),
    .ownSet: Row(403, "The service keeps this set for itself"),
    .notFound: Row(404, "No such path"),
    .noSuchLock: Row(404, "No such lock"),
    .noSuchLease: Row(404, "No such lease"),
    .noSuchSet: Row(404, "No such semaphore set"),
    .noSuchProcess: Row(422, "The process cannot be bound to"),
    .noSuchSegment: Row(404, "No such segment of shared memory"),
    .noSuchVariable: Row(404, "No such variable in this segment"),
    .noSuchPath: Row(404, "The file of a path lock cannot be made"),
    .pathNotAllowed: Row(403, "The path is outside the folders for path locks"),
    .noSuchSemaphore: Row(404, "The set has no semaphore of this number"),
    .methodNotAllowed: Row(405, "This path does not know this method"),
    .notAcceptable: Row(406, "No acceptable media type can be answered"),
    .notRepresentable: Row(406, "The value cannot be shown as JSON"),
    .bodyTooLarge: Row(413, "The body is too large"),
    .uriTooLong: Row(414, "The request target is too long"),
    .headersTooLarge: Row(431, "The header fields are too large"),
    .unknownVersion: Row(505, "This version of HTTP is not spoken here"),
    .unsupportedMediaType: Row(415, "The body has a media type that is not read here"),
    .hostNotAllowed: Row(421, "The Host header names another host"),
    .limitMismatch: Row(409, "The lock is in use with another limit"),
    .kindMismatch: Row(409, "The lock is in use as another kind of lock"),
    .inUse: Row(409, "Somebody holds this or waits for it"),
    .corruptSegment: Row(409, "The segment is not a whole segment of PHP"),
    .exists: Row(409, "The key has a set already"),
    .nsemsMismatch: Row(409, "The set has another number of semaphores"),
    .superseded: Row(409, "Another request has its place"),
    .canceled: Row(409, "The Idempotency-Key was taken back"),
    .deadlock: Row(409, "Waiting would never end"),
    .expired: Row(410, "The lease has expired"),
    .released: Row(410, "The lease was released"),
    .broken: Row(410, "An operator ended the lease"),
    .rewritten: Row(410, "Another program wrote the values under the lease"),
    .undelivered: Row(410, "The grant never reached its client and was undone"),
    .setRemoved: Row(410, "The semaphore set was removed by somebody"),
    .lockRemoved: Row(410, "The lock was removed"),
    .staleFence: Row(412, "A newer fence was seen for this segment"),
    .preconditionFailed: Row(412, "The variable is not what If-Match or If-None-Match asks for"),
    .countExceedsLimit: Row(422, "More slots are asked for than the lock has"),
    .sameLockTwice: Row(422, "The request wants one lock twice"),
    .idempotencyMismatch: Row(422, "The Idempotency-Key was used with other parameters"),
    .objectsRefused: Row(422, "Serialized objects are not stored"),
    .locked: Row(423, "The lock is held"),
    .waitTimeout: Row(423, "The lock was still held when the wait was over"),
    .queueFull: Row(423, "As many as max_waiters wait already"),
    .tooManyWaiters: Row(429, "The service has as many waiters as it takes"),
    .tooManySubscribers: Row(429, "As many follow the events as may"),
    .callerLimit: Row(429, "The caller has as much as one caller may have"),
    .draining: Row(503, "The service is stopping"),
    .starting: Row(503, "The service is recovering its leases"),
    .degraded: Row(503, "What leases rest on is gone"),
    .clockStalled: Row(503, "The clock that ends leases does not turn"),
    .sysvUnavailable: Row(503, "There are no System V semaphores here"),
    .tooManyConnections: Row(503, "As many connections are open as may"),
    .engineUnavailable: Row(503, "The engine cannot be asked now"),
    .outcomeUnknown: Row(503, "The engine did not say in time whether it was done"),
    .notSupported: Row(501, "The engine of this service cannot do that"),
    .kernelLimit: Row(507, "A limit of the kernel is reached"),
    .segmentFull: Row(507, "There is no room in the segment"),
    .ledgerFull: Row(507, "There is no room for another lease"),
    .tooManyProcesses: Row(507, "Leases are bound to as many processes as may be"),
    .nativeCountFull: Row(507, "A native lock's count of its users is full"),
    .tooManyNativeHandles: Row(507, "Too many native programs use the lock to grant a lease beside them"),
    .ledgerDamaged: Row(500, "Somebody wrote the lock's values"),
    .internalError: Row(500, "The service made a mistake"),
  ]

  private static let byCode = Dictionary(
    uniqueKeysWithValues: rows.map { code, row in
      (code, Row(row.status, row.title, challenge: row.challenge, of: code))
    })

  /// The row of a code; that of a mistake of the service where it has none.
  static func row(_ code: LeaseholdError.Code) -> Row { code == .locked ? locked : found(code) }

  /// The row that is asked for more often than all others.
  private static let locked = found(.locked)

  private static func found(_ code: LeaseholdError.Code) -> Row {
    known(code) ?? Row(500, "The service made a mistake", of: code)
  }

  /// The row of a code; `nil` where it has none.
  static func known(_ code: LeaseholdError.Code) -> Row? { byCode[code] }
}
