/// An answer: a status, a handful of headers, and bytes or a stream.
///
/// ``Exchange`` adds `X-Request-Id`, `Cache-Control: no-store` and `X-Content-Type-Options: nosniff`;
/// it or libmicrohttpd adds `Date` and `Content-Length`, and libmicrohttpd `Connection`.
struct Response: ~Copyable, @unchecked Sendable {
  /// The status code, 200...599.
  var status: Int
  /// `Content-Type`; left out where empty.
  var contentType: StaticString
  /// The body; ignored where there is a ``stream``.
  var body: ResponseBuffer
  /// A body that is still being written.
  var stream: StreamBody?
  /// `Location`: the path of what was made.
  var location: ResponseBuffer?
  /// `Allow`: the methods of a path, for status 405.
  var allow: StaticString?
  /// `Retry-After`, in seconds.
  var retryAfterSeconds: Int?
  /// Headers beyond the usual; names must not be those above, values must hold no line break.
  var extra: [(name: StaticString, value: String)] = []
  /// Whether the connection closes after this answer.
  var closes = false

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
