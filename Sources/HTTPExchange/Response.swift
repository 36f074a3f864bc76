/// An answer, whole.
public struct Response: Sendable {
  /// The HTTP status.
  public let status: Int
  /// The body, decoded.
  public let body: [UInt8]

  /// An answer of these parts.
  package init(status: Int, body: [UInt8]) {
    self.status = status
    self.body = body
  }
}
