import JSONText
import Leasehold

/// Bearer tokens (RFC 6750): the caller, and whether its role is large enough for the operation.
extension Guard {
  /// The reason to refuse a request for its token; notes the token where there is one.
  func refusal(_ exchange: Exchange, _ tokens: TokenStore, isOptional: Bool) -> LeaseholdError? {
    let endpoint = exchange.context.endpoint
    let needed = endpoint?.pointee.role ?? .read
    if needed == .nobody { return nil }
    guard let header = exchange.header(.authorization) else {
      if isOptional || isPage(exchange, endpoint) { return nil }
      return LeaseholdError(.unauthenticated, "This needs a token; send it as 'Authorization: Bearer TOKEN'.")
    }
    guard let token = token(header, endpoint, in: tokens) else {
      return LeaseholdError(
        .unauthenticated,
        "The token of this request is not in the service's file; 'Authorization: Bearer TOKEN' needs one that is.")
    }
    exchange.context.token = token
    guard token.role >= needed else {
      return .forbidden(token, endpoint.map { "\($0.pointee.operation)" } ?? "This", needs: needed)
    }
    return nil
  }

  /// Returns true when the locks are only for callers with a token.
  func asksForToken(_ exchange: Exchange) -> Bool {
    tokens != nil && (unixNeedsToken || !exchange.connection.peer.isLocal)
  }

  /// The page that asks for the token has nothing in it that a token guards.
  private func isPage(_ exchange: Exchange, _ endpoint: UnsafePointer<Endpoint>?) -> Bool {
    switch endpoint?.pointee.media {
    case .jsonOrPage?: Accept(exchange).prefersHTML
    case .page?: true
    default: false
    }
  }

  private func token(
    _ header: UnsafeBufferPointer<UInt8>, _ endpoint: UnsafePointer<Endpoint>?, in tokens: TokenStore
  ) -> Token? {
    if let secret = bearer(header) { return tokens.find(secret) }
    // Terraform has a username and a password, and no other way.
    guard endpoint?.pointee.terraform != nil else { return nil }
    return Self.password(header)?.withUnsafeBytes { tokens.find($0) }
  }

  /// The longest header with a name and a password that is looked at, in bytes.
  private static let longestBasic = 1024

  /// The password of a header Authorization (RFC 7617), which is what follows the first colon; `nil` for another
  /// scheme, and for what is no base64 (RFC 4648, 4) of a name, a colon and more.
  static func password(_ header: UnsafeBufferPointer<UInt8>) -> [UInt8]? {
    guard header.count <= longestBasic,
      equalsIgnoringCase(UnsafeBufferPointer(rebasing: header.prefix(6)), "basic "),
      let text = Base64.decode(UnsafeBufferPointer(rebasing: header.dropFirst(6))),
      let colon = text.firstIndex(of: UInt8(ascii: ":"))
    else { return nil }
    return Array(text[(colon + 1)...])
  }

  /// The text behind the word Bearer; `nil` for another scheme.
  private func bearer(_ header: UnsafeBufferPointer<UInt8>) -> UnsafeRawBufferPointer? {
    let scheme = 6
    guard header.count > scheme + 1, header.count <= 512,
      equalsIgnoringCase(UnsafeBufferPointer(rebasing: header[..<scheme]), "bearer"),
      header[scheme] == UInt8(ascii: " ")
    else { return nil }
    return UnsafeRawBufferPointer(UnsafeBufferPointer(rebasing: header[(scheme + 1)...]))
  }
}

extension Server {
  /// The account that an exchange is counted for.
  ///
  /// On the connection's thread.
  func account(of exchange: Exchange) -> CallerAccount? {
    exchange.context.token?.account ?? exchange.connection.seat?.account
  }

  /// Reads the file of tokens again.
  ///
  /// - Returns: How many tokens it has; `nil` where no file was named.
  /// - Throws: ``SecretFileError``; then the tokens stay as they were.
  public func reloadTokens() throws(SecretFileError) -> Int? { try guardian.tokens?.reload() }
}
