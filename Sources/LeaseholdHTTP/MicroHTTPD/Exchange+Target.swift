import Leasehold

extension Exchange {
  /// Finds the path in the target, and the host that the request is for (RFC 9112, 3.2 and 3.3).
  ///
  /// A target in absolute form, as clients send to proxies, says so itself, and its Host counts no more.
  func readTarget() {
    let target = connection.target.bytes
    if !UnsafeRawBufferPointer(target).isPlainASCII(from: 0x21), target.contains(where: { $0 < 0x21 || $0 == 0x7f }) {
      note(.malformedRequestLine)
    }
    if method == .other, !isToken(methodBytes) { note(.malformedRequestLine) }
    if let host = headers[.host] {
      hasKnownHost = connection.isKnownHost(host)
      if headers.isRepeated(.host) {
        note(.repeatedHost)
      } else if !hasKnownHost, !isHostAndPort(host) {
        note(.malformedHost)
      }
    } else if version == .http11 {
      note(.missingHost)
    }
    guard target.first != UInt8(ascii: "/"), defect == nil else { return }
    if method == .options, target.elementsEqual("*".utf8) { return }
    readAbsolute(target)
  }

  private func readAbsolute(_ target: UnsafeBufferPointer<UInt8>) {
    let (plain, secure): (StaticString, StaticString) = ("http://", "https://")
    func begins(with scheme: StaticString) -> Bool {
      equalsIgnoringCase(UnsafeBufferPointer(rebasing: target.prefix(scheme.utf8CodeUnitCount)), scheme)
    }
    guard begins(with: plain) || begins(with: secure) else { return note(.unknownTargetForm) }
    let isSecure = begins(with: secure)
    let start = (isSecure ? secure : plain).utf8CodeUnitCount
    var end = start
    while end < target.count, target[end] != UInt8(ascii: "/"), target[end] != UInt8(ascii: "?") { end += 1 }
    let authority = UnsafeBufferPointer(rebasing: target[start..<end])
    guard let first = authority.first, first != UInt8(ascii: ":"), isHostAndPort(authority) else {
      return note(.unknownTargetForm)
    }
    if isSecure, connection.daemon.isPlain { return note(.needsTLS) }
    if end < target.count, target[end] == UInt8(ascii: "/") {
      connection.targetStart = end
    } else {
      // The path is empty, which means "/": put that and the query behind what is there.
      connection.targetStart = target.count
      let path = [UInt8(ascii: "/")] + target[end...]
      guard connection.target.append(path, count: path.count) else { return note(.unknownTargetForm) }
    }
    hasKnownHost = false
    headers.replaceHost(UnsafeBufferPointer(rebasing: connection.target.bytes[start..<end]))
  }
}
