public import HTTPExchange

/// One request to the service.
public struct Request: Sendable {
  /// The method.
  public var method: String
  /// The segments of the path, not encoded.
  public var path: [String]
  /// Parameters, not encoded, in order.
  public var query: [(name: String, value: String)]
  /// Further headers.
  public var headers: [(name: String, value: String)] = []
  /// A body and its type.
  public var body: (type: String, bytes: [UInt8])?
  /// The time that all of it may take: to connect, to check the peer, to send, and to hear the whole answer.
  public var timeout: Duration = .seconds(15)

  /// Makes a request.
  public init(_ method: String, _ path: [String], query: [(String, String)] = []) {
    self.method = method
    self.path = path
    self.query = query.map { (name: $0.0, value: $0.1) }
  }

  /// The path and the query as they go over the wire.
  public var target: String {
    var target = path.isEmpty ? "/" : path.map { "/" + percentEncoded($0) }.joined()
    for (index, item) in query.enumerated() {
      target += (index == 0 ? "?" : "&") + percentEncoded(item.name) + "=" + percentEncoded(item.value)
    }
    return target
  }

  /// The whole request as it goes over the wire.
  public func bytes(to endpoint: ServiceEndpoint, closing: Bool = false) -> [UInt8] {
    var text = "\(method) \(target) HTTP/1.1\r\nHost: \(endpoint.address.hostHeader)\r\n"
    if let token = endpoint.token { text += "Authorization: Bearer \(headerValue(token))\r\n" }
    if let trace = endpoint.traceparent, !headers.contains(where: { $0.name.lowercased() == "traceparent" }) {
      text += "traceparent: \(headerValue(trace))\r\n"
    }
    for header in headers { text += "\(header.name): \(headerValue(header.value))\r\n" }
    if closing { text += "Connection: close\r\n" }
    if let body { text += "Content-Type: \(body.type)\r\n" }
    if body != nil || method != "GET" { text += "Content-Length: \(body?.bytes.count ?? 0)\r\n" }
    return Array((text + "\r\n").utf8) + (body?.bytes ?? [])
  }

  /// A header cannot have line ends: they are left out.
  private func headerValue(_ text: String) -> String {
    String(text.unicodeScalars.filter { $0.value >= 0x20 && $0.value != 0x7f }.map(Character.init))
  }
}

/// The text with everything but unreserved characters percent-encoded (RFC 3986).
func percentEncoded(_ text: String) -> String {
  let digits = Array("0123456789ABCDEF".utf8)
  var encoded: [UInt8] = []
  for byte in text.utf8 {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "~"):
      encoded.append(byte)
    default: encoded += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
    }
  }
  return String(decoding: encoded, as: UTF8.self)
}

extension Response {
  /// The body as JSON.
  public var json: JSON { JSON(body) ?? .null }

  /// Itself when the status is below 400.
  ///
  /// - Throws: ``ClientError/problem(_:)``.
  public func checked() throws(ClientError) -> Response {
    guard status >= 400 else { return self }
    throw .problem(Problem(status: status, body: body))
  }
}
