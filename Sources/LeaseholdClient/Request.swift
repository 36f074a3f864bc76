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

  /// Makes a request with those of some parameters that have a value.
  package init(_ method: String, _ path: [String], given parameters: KeyValuePairs<String, String?>) {
    self.init(method, path, query: parameters.compactMap { name, value in value.map { (name, $0) } })
  }

  /// Makes a request with JSON as its body.
  package init(_ method: String, _ path: [String], json: JSON) {
    self.init(method, path)
    body = (type: "application/json", bytes: json.bytes)
  }

  /// The same request with another ``timeout``.
  package func within(_ timeout: Duration) -> Request {
    var request = self
    request.timeout = timeout
    return request
  }

  /// The same request with an Idempotency-Key and no other further header.
  package func keyed(_ key: String) -> Request {
    var request = self
    request.headers = [(name: "Idempotency-Key", value: key)]
    return request
  }

  /// The same request for one page of a list: the first, or that behind a cursor.
  package func page(behind cursor: String?) -> Request {
    var page = self
    page.query.append((name: "limit", value: "1000"))
    if let cursor { page.query.append((name: "cursor", value: cursor)) }
    return page
  }

  /// The path and the query as they go over the wire.
  public var target: String {
    func encoded(_ text: String) -> String { text.percentEncoded(keeping: "-._~") }
    var target = path.isEmpty ? "/" : path.map { "/" + encoded($0) }.joined()
    for (index, item) in query.enumerated() {
      target += (index == 0 ? "?" : "&") + encoded(item.name) + "=" + encoded(item.value)
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

extension Response {
  /// The body as JSON.
  public var json: JSON { JSON(body) ?? .null }

  /// The lease that it tells.
  ///
  /// - Throws: ``ClientError/problem(_:)``, and ``ClientError/malformed(_:)`` where there is none.
  package func grant() throws(ClientError) -> Grant {
    guard let grant = Grant(json: try checked().json) else { throw .malformed("an answer without a lease") }
    return grant
  }

  /// Itself when the status is below 400.
  ///
  /// - Throws: ``ClientError/problem(_:)``.
  public func checked() throws(ClientError) -> Response {
    guard status >= 400 else { return self }
    throw .problem(Problem(status: status, body: body))
  }
}
