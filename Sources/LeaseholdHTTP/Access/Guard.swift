import Glibc
import Leasehold

/// Decides which callers are let in: the one place for it.
///
/// A browser on this host can reach loopback addresses, so any web page could take a lock (a POST without a body is a
/// "simple request") or, through a name that resolves to 127.0.0.1, read answers. A page cannot choose its Host or
/// Origin.
final class Guard: Sendable {
  /// Names, beside loopback, that callers may use in Host; lower case, without port.
  let allowedHosts: Set<String>
  /// The tokens in force; `nil` where none are needed.
  let tokens: TokenStore?
  /// True when the Unix socket, whose file has an owner and a mode, asks for tokens too.
  let unixNeedsToken: Bool

  init(allowedHosts: Set<String>, tokens: TokenStore?, unixNeedsToken: Bool) {
    self.allowedHosts = allowedHosts
    self.tokens = tokens
    self.unixNeedsToken = unixNeedsToken
  }

  /// The reason to refuse a request by its headers alone.
  func refusal(_ exchange: Exchange) -> LeaseholdError? {
    let isUnix = exchange.connection.peer.isLocal
    if let problem = foreignPage(exchange, isUnix: isUnix) { return problem }
    // OPTIONS says nothing that the contract does not say.
    guard let tokens, exchange.method != .options else { return nil }
    return refusal(exchange, tokens, isOptional: isUnix && !unixNeedsToken)
  }

  /// The reason to refuse what a web page may have sent.
  private func foreignPage(_ exchange: Exchange, isUnix: Bool) -> LeaseholdError? {
    let host = exchange.header(.host)
    if let host, !exchange.hasKnownHost {
      if !isUnix, !isAllowed(host) {
        return LeaseholdError(
          .hostNotAllowed,
          "Host '\(text(host))' is not one of this service's names; use localhost or 127.0.0.1, or start it with "
            + "--allow-host.",
          facts: [("host", .text(text(host)))])
      }
      exchange.connection.noteHost(host)
    }
    let (site, origin) = (exchange.header(.secFetchSite), exchange.header(.origin))
    guard site != nil || origin != nil else { return nil }
    // A page cannot read what it gets from here, but a browser has few connections, and so has this service.
    guard exchange.method.changesSomething || exchange.context.endpoint?.pointee.mayStayOpen == true else { return nil }
    if let site, !equalsIgnoringCase(site, "same-origin"),
      !equalsIgnoringCase(site, "none")
    {
      return foreign("Sec-Fetch-Site", site)
    }
    if let origin, !isOwn(origin, host: host) { return foreign("Origin", origin) }
    return nil
  }

  private func foreign(_ header: String, _ value: UnsafeBufferPointer<UInt8>) -> LeaseholdError {
    LeaseholdError(
      .foreignOrigin,
      "A web page of another origin may not change anything here, nor wait for it (\(header): \(text(value))); call "
        + "from a program instead.",
      facts: [("header", .text(header)), ("value", .text(text(value)))])
  }

  private func text(_ bytes: UnsafeBufferPointer<UInt8>) -> String {
    String(decoding: bytes.prefix(128), as: UTF8.self)
  }

  /// An Origin is our own when it is `http://` and the very Host of the request.
  private func isOwn(_ origin: UnsafeBufferPointer<UInt8>, host: UnsafeBufferPointer<UInt8>?) -> Bool {
    guard let host else { return false }
    for scheme in ["http://", "https://"] where origin.starts(with: scheme.utf8) {
      return origin.dropFirst(scheme.utf8.count).elementsEqual(host)
    }
    return false
  }

  private func isAllowed(_ host: UnsafeBufferPointer<UInt8>) -> Bool {
    guard let name = hostName(host) else { return false }
    if equalsIgnoringCase(name, "localhost") || equalsIgnoringCase(name, "127.0.0.1") || isLoopback(name) {
      return true
    }
    return !allowedHosts.isEmpty && allowedHosts.contains(String(decoding: name, as: UTF8.self).lowercased())
  }

  /// The host without its port; `nil` when the port has more digits than any.
  ///
  /// The reading of the head saw to its form (``isHostAndPort(_:)``).
  private func hostName(_ host: UnsafeBufferPointer<UInt8>) -> UnsafeBufferPointer<UInt8>? {
    let behindBrackets = host.firstIndex(of: UInt8(ascii: "]")).map { $0 + 1 }
    let end = behindBrackets ?? host.position(of: UInt8(ascii: ":"))
    return host.count - end <= ":65535".utf8.count ? host.part(0, end) : nil
  }

  /// 127.0.0.0/8 as four numbers, or [::1].
  private func isLoopback(_ name: UnsafeBufferPointer<UInt8>) -> Bool {
    if name.first == UInt8(ascii: "[") { return name.elementsEqual("[::1]".utf8) }
    var address = in_addr()
    return inet_pton(AF_INET, String(decoding: name, as: UTF8.self), &address) == 1
      && UInt32(bigEndian: address.s_addr) >> 24 == 127
  }
}

extension HTTPMethod {
  /// True when the method may change anything.
  var changesSomething: Bool {
    switch self {
    case .get, .head, .options: false
    case .post, .put, .patch, .delete, .lock, .unlock, .other: true
    }
  }
}
