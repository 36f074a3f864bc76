import Leasehold
import LeaseholdHost

/// An answer: a status, a handful of headers, and bytes or a stream.
///
/// ``Exchange`` adds `X-Request-Id`, `Cache-Control: no-store`, `X-Content-Type-Options: nosniff` and
/// `Cross-Origin-Resource-Policy: same-origin`; it or libmicrohttpd adds `Date` and `Content-Length`, and libmicrohttpd
/// `Connection`.
struct Response: ~Copyable, @unchecked Sendable {
  /// The status code, 200...599.
  var status: UInt16
  /// `Retry-After`, in seconds; left out where 0.
  var retryAfterSeconds: UInt16 = 0
  /// `Location`, where it is a lease's; no line of ``lines``, as it goes out with every grant.
  var location: LeaseID?
  /// True when the connection closes after this answer.
  var closes = false
  /// `Content-Type`; left out where empty.
  var contentType: StaticString
  var body: Body
  /// Further header lines, ready to be sent: `Location`, `ETag`, `Allow` and the like, each with CR and LF behind it.
  private(set) var lines = ResponseBuffer()

  /// A body that is complete, or one that is still being written.
  enum Body: ~Copyable {
    case whole(ResponseBuffer)
    case stream(StreamBody)

    /// Its length; `nil` while it is being written.
    var count: Int? {
      switch self {
      case .whole(let bytes): bytes.count
      case .stream: nil
      }
    }
  }

  /// Adds a header line; the value has no line break.
  ///
  /// The name must be none of those that every answer has.
  mutating func add(_ name: StaticString, _ value: String) {
    lines.append(name)
    lines.append(": " as StaticString)
    lines.append(value)
    lines.append("\r\n" as StaticString)
  }

  /// Makes an answer whose body is complete.
  init(status: UInt16, contentType: StaticString, body: consuming ResponseBuffer) {
    self.status = status
    self.contentType = contentType
    self.body = .whole(body)
  }

  /// Makes an answer whose body is known at compile time.
  init(status: UInt16, contentType: StaticString = "text/plain; charset=utf-8", text: StaticString) {
    var body = ResponseBuffer(capacity: text.utf8CodeUnitCount)
    body.append(text)
    self.init(status: status, contentType: contentType, body: body)
  }

  /// The place of an answer that is not known yet.
  static var none: Response { Response(status: 0, contentType: "", body: ResponseBuffer()) }

  /// Makes an answer whose body goes on until the stream is finished.
  init(status: UInt16, contentType: StaticString, stream: StreamBody) {
    self.status = status
    self.contentType = contentType
    body = .stream(stream)
  }
}

/// The fate of a request that has arrived in full.
enum Disposition: ~Copyable, Sendable {
  /// The answer is known at once: see ``Exchange/respond(_:)``.
  case answered
  /// Another thread calls, or already has called, ``Exchange/resolve(_:)``.
  case pending
  /// A worker finds it out: ``ExchangeHandler/work(_:)`` is called on its thread.
  case working(BlockingPool.Place)
}
