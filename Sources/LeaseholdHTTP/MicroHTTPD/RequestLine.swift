import Glibc

/// A request method that Leasehold tells apart.
enum HTTPMethod: UInt8, CaseIterable, Sendable {
  case get, head, post, put, patch, delete
  /// As Terraform sends them to lock a state; WebDAV's (RFC 4918).
  case lock, unlock
  case options
  /// Any other token; ``Exchange/methodName`` has its bytes.
  case other

  /// Reads the NUL-terminated method that libmicrohttpd hands over.
  ///
  /// Methods are case-sensitive (RFC 9110, 9.1).
  init(_ text: UnsafePointer<CChar>?) {
    guard let text else {
      self = .other
      return
    }
    func matches(_ name: StaticString) -> Bool { equals(text, name) }
    switch UInt8(bitPattern: text[0]) {
    case UInt8(ascii: "G") where matches("GET"): self = .get
    case UInt8(ascii: "H") where matches("HEAD"): self = .head
    case UInt8(ascii: "D") where matches("DELETE"): self = .delete
    case UInt8(ascii: "O") where matches("OPTIONS"): self = .options
    case UInt8(ascii: "L") where matches("LOCK"): self = .lock
    case UInt8(ascii: "U") where matches("UNLOCK"): self = .unlock
    case UInt8(ascii: "P") where matches("POST"): self = .post
    case UInt8(ascii: "P") where matches("PUT"): self = .put
    case UInt8(ascii: "P") where matches("PATCH"): self = .patch
    default: self = .other
    }
  }
}

/// The version a request names; libmicrohttpd refuses all others.
enum HTTPVersion: UInt8, Sendable {
  case http10, http11

  /// Reads "HTTP/1.0" or "HTTP/1.1".
  init(_ text: UnsafePointer<CChar>?) {
    self = text.map { equals($0, "HTTP/1.0") } ?? true ? .http10 : .http11
  }
}

private func equals(_ text: UnsafePointer<CChar>, _ name: StaticString) -> Bool {
  strcmp(text, UnsafeRawPointer(name.utf8Start).assumingMemoryBound(to: CChar.self)) == 0
}
