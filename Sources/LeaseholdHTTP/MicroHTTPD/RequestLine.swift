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
    // A byte is read only after all before it have matched, so no read passes the NUL.
    func matches(_ name: StaticString) -> Bool {
      var index = 0
      while index < name.utf8CodeUnitCount {
        if UInt8(bitPattern: text[index]) != name.utf8Start[index] { return false }
        index += 1
      }
      return text[index] == 0
    }
    switch UInt8(bitPattern: text[0]) {
    case UInt8(ascii: "G") where matches("GET"): self = .get
    case UInt8(ascii: "H") where matches("HEAD"): self = .head
    case UInt8(ascii: "D") where matches("DELETE"): self = .delete
    case UInt8(ascii: "O") where matches("OPTIONS"): self = .options
    case UInt8(ascii: "L") where matches("LOCK"): self = .lock
    case UInt8(ascii: "U") where matches("UNLOCK"): self = .unlock
    case UInt8(ascii: "P"):
      if matches("POST") {
        self = .post
      } else if matches("PUT") {
        self = .put
      } else {
        self = matches("PATCH") ? .patch : .other
      }
    default: self = .other
    }
  }
}

/// The version a request names; libmicrohttpd refuses all others.
enum HTTPVersion: UInt8, Sendable {
  case http10, http11

  /// Reads "HTTP/1.0" or "HTTP/1.1".
  init(_ text: UnsafePointer<CChar>?) {
    self = text.map { strlenIsEight($0) && $0[7] == 0x30 } ?? true ? .http10 : .http11
  }
}

private func strlenIsEight(_ text: UnsafePointer<CChar>) -> Bool {
  for index in 0..<8 where text[index] == 0 { return false }
  return text[8] == 0
}
