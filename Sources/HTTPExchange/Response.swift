/// An answer, whole.
public struct Response: Sendable {
  /// The HTTP status.
  public let status: Int
  /// Headers; names in lower case.
  public let headers: [String: String]
  /// The body, decoded.
  public let body: [UInt8]

  /// An answer of these parts.
  package init(status: Int, headers: [String: String], body: [UInt8]) {
    self.status = status
    self.headers = headers
    self.body = body
  }
}
