import Glibc
import Leasehold
import LeaseholdHost
import Synchronization

/// One request and its answer.
///
/// Its life is that of ``ExchangePhase``, under one lock, and then `completed(delivered:)`. The thread that moves a
/// suspended exchange on resumes its connection, and no other thread does. Pointers into the request (`target`,
/// `header(_:)`, `body`) are valid from `headersArrived` until `completed` returns, on the connection's own thread or
/// the worker's. One that was answered at once, and that no other object has, rests until the next request of its
/// connection.
final class Exchange: @unchecked Sendable {
  /// The body that its headers announced, and the bytes of it that were not kept.
  struct ComingBody {
    var isThere = false
    var declaredBytes: UInt64?
    var discardedBytes = 0
  }

  /// The connection it came on.
  let connection: PeerConnection
  private(set) var method = HTTPMethod.other
  private(set) var version = HTTPVersion.http11
  /// When its headers had arrived, in nanoseconds of CLOCK_MONOTONIC; the one reading of the clock that decides.
  private(set) var arrived: Int64 = 0
  /// Why it must be refused; see ``ExchangeHandler/headersArrived(_:)``.
  private(set) var defect: LeaseholdError?
  /// True when Host is that of an earlier request on the connection, which was found good.
  var hasKnownHost = false
  /// The body is longer than ``bodyLimitBytes``; known at `headersArrived` where the length is declared.
  var bodyTooLarge = false
  /// The longest body, in bytes.
  private(set) var bodyLimitBytes = 0
  /// The context that the endpoints keep with the exchange.
  var context = RequestContext()

  var headers: HeaderTable

  // The request's way through the connection; see PeerConnection+Request.swift.
  /// The answer, from when it is known until it is sent: here, as it is large to hand from one to the other.
  var response = Response.none
  var stream: StreamBody?
  var coming = ComingBody()
  var handedOver = false
  var wasPending = false
  var answered = false
  var early = Early.not
  private var methodText: UnsafePointer<CChar>?
  private var generatedID: UInt64 = 0

  let parking = Mutex(Parking())

  /// Makes an exchange at rest.
  init(connection: PeerConnection) {
    self.connection = connection
    headers = HeaderTable(over: connection.room.headers)
  }

  /// The headers of a request are there; the exchange is new, or at rest since another one.
  func begin(method: UnsafePointer<CChar>?, version: UnsafePointer<CChar>?) {
    self.method = HTTPMethod(method)
    methodText = method
    self.version = HTTPVersion(version)
    arrived = HostClock.monotonic()
  }

  /// Forgets all of a request that is over and that no other thread had, so that the next one may have the exchange: a
  /// new one for each costs more than to read most requests.
  func rest() {
    precondition(!wasPending, "an exchange that others may know is not used again")
    (defect, hasKnownHost, bodyTooLarge, bodyLimitBytes) = (nil, false, false, 0)
    context = RequestContext()
    // One to a request whose body never came to its end.
    if hasResponse { response = .none }
    stream = nil
    coming = ComingBody()
    (handedOver, answered, early, generatedID) = (false, false, .not, 0)
  }

  /// True when the answer is known and not sent.
  var hasResponse: Bool { response.status != 0 }

  /// Answers the request.
  @inline(__always)
  func respond(_ response: consuming Response) -> Disposition {
    self.response = response
    return .answered
  }

  /// Takes the answer out.
  func takeResponse() -> Response? {
    guard hasResponse else { return nil }
    var taken = Response.none
    swap(&taken, &response)
    return taken
  }

  /// The method as sent, for ``HTTPMethod/other``.
  var methodName: String { methodText.map { String(cString: $0) } ?? "" }

  /// The bytes of it, as long as the request's memory is there.
  var methodBytes: UnsafeBufferPointer<UInt8> {
    guard let methodText else { return UnsafeBufferPointer(start: nil, count: 0) }
    let count = strlen(methodText)
    return UnsafeBufferPointer(start: UnsafeRawPointer(methodText).assumingMemoryBound(to: UInt8.self), count: count)
  }

  /// Path and query as sent, nothing decoded; of a target in absolute form, what follows the authority.
  var target: UnsafeBufferPointer<UInt8> {
    connection.target.bytes.part(connection.targetStart, connection.target.count)
  }

  /// The body, empty where there is none and where it is too large.
  var body: UnsafeBufferPointer<UInt8> { connection.body.bytes }

  /// A header's value without white space around it; the first of several.
  @inline(__always)
  func header(_ name: HeaderName) -> UnsafeBufferPointer<UInt8>? { headers[name] }

  /// Sets the longest body, before any of it is read.
  func limitBody(to bytes: Int) {
    bodyLimitBytes = bytes
    bodyTooLarge = coming.declaredBytes.map { $0 > UInt64(bytes) } ?? false
  }

  /// Forgets the pointers into memory that libmicrohttpd is about to use for the next request.
  func forgetMemory() {
    headers.forget()
    context.target = nil
    methodText = nil
  }

  /// Notes the first reason to refuse the request.
  func note(_ defect: LeaseholdError) {
    if self.defect == nil { self.defect = defect }
  }
}

extension Exchange {
  /// The value of `X-Request-Id`; one of our own is made on first use.
  var requestID: RequestID {
    if let given = headers[.xRequestID], let id = RequestID(given: given) { return id }
    if generatedID == 0 { generatedID = max(connection.nextRequestNumber(), 1) }
    return .made(generatedID)
  }
}
