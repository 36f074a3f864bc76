/// An answer: a status, a handful of headers, and bytes or a stream.
///
/// ``Exchange`` adds `X-Request-Id`, `Cache-Control: no-store`, `X-Content-Type-Options: nosniff` and
/// `Cross-Origin-Resource-Policy: same-origin`; it or libmicrohttpd adds `Date` and `Content-Length`, and libmicrohttpd
/// `Connection`.
struct Response: ~Copyable, @unchecked Sendable {
  /// The status code, 200...599.
  var status: Int
  /// `Content-Type`; left out where empty.
  var contentType: StaticString
  /// The body; ignored where there is a ``stream``.
  var body: ResponseBuffer
  /// `Location`: the path of what was made.
  var location: ResponseBuffer?
  private var rare: Rare?

  /// What few answers have: answers are moved about, and so are small.
  private final class Rare {
    var stream: StreamBody?
    var allow: StaticString?
    var retryAfterSeconds: Int?
    var extra: [(name: StaticString, value: String)] = []
    var closes = false
  }

  private mutating func change<Member>(_ path: ReferenceWritableKeyPath<Rare, Member>, to value: Member) {
    let content = rare ?? Rare()
    content[keyPath: path] = value
    rare = content
  }

  /// Whether it has nothing but status, type, body and location.
  var isPlain: Bool { rare == nil }

  /// A body that is still being written.
  var stream: StreamBody? {
    get { rare?.stream }
    set { change(\.stream, to: newValue) }
  }

  /// `Allow`: the methods of a path, for status 405 and for OPTIONS.
  var allow: StaticString? {
    get { rare?.allow }
    set { change(\.allow, to: newValue) }
  }

  /// `Retry-After`, in seconds.
  var retryAfterSeconds: Int? {
    get { rare?.retryAfterSeconds }
    set { change(\.retryAfterSeconds, to: newValue) }
  }

  /// Headers beyond the usual; names must not be those above, values must hold no line break.
  var extra: [(name: StaticString, value: String)] {
    get { rare?.extra ?? [] }
    set { change(\.extra, to: newValue) }
  }

  /// Whether the connection closes after this answer.
  var closes: Bool {
    get { rare?.closes ?? false }
    set { change(\.closes, to: newValue) }
  }

  /// Makes an answer whose body is complete.
  init(status: Int, contentType: StaticString, body: consuming ResponseBuffer) {
    self.status = status
    self.contentType = contentType
    self.body = body
  }

  /// Makes an answer whose body is known at compile time.
  init(status: Int, contentType: StaticString = "text/plain; charset=utf-8", text: StaticString) {
    var body = ResponseBuffer(capacity: text.utf8CodeUnitCount)
    body.append(text)
    self.init(status: status, contentType: contentType, body: body)
  }

  /// Makes an answer whose body goes on until the stream is finished.
  init(status: Int, contentType: StaticString, stream: StreamBody) {
    self.init(status: status, contentType: contentType, body: ResponseBuffer())
    self.stream = stream
  }
}

/// What becomes of a request that has arrived in full.
enum Disposition: ~Copyable, Sendable {
  /// The answer is known at once.
  case respond(Response)
  /// Somebody calls, or already has called, ``Exchange/resolve(_:)``.
  case pending
}
