import Leasehold

/// Why a request cannot be served, whatever it asks for.
extension LeaseholdError {
  /// The request line is not a method, a target and a version with one blank between them (RFC 9112, 3).
  static let malformedRequestLine = LeaseholdError(
    .malformedRequest,
    "The request line is not METHOD TARGET HTTP/1.1 with one blank between them; a blank in a name is %20.")
  /// The target is no path, no URL, and not the star of OPTIONS (RFC 9112, 3.2).
  static let unknownTargetForm = LeaseholdError(
    .malformedRequest,
    "The target is neither a path that begins with / nor http://HOST/PATH; this service is no proxy.")
  /// The target is a URL of https, and there is no TLS (RFC 9110, 7.4).
  static let needsTLS = LeaseholdError(
    .hostNotAllowed, "The target is an https URL, but the request came without TLS; ask for http:// or for a path.")
  /// The target is longer than ``ListenerOptions/maxTargetBytes``.
  static let targetTooLong = LeaseholdError(
    .uriTooLong, "The path and query have more than 8192 bytes; a lock's name has at most 255.")
  /// A line ends with LF alone (RFC 9112, 2.2).
  static let bareLineFeed = LeaseholdError(
    .malformedRequest, "A line of the request's head ends with LF alone; each must end with CR LF.")
  /// A line is folded, has no name, or holds a NUL byte (RFC 9112, 5).
  static let brokenLine = LeaseholdError(
    .malformedRequest, "A line of the request's head is folded, has no name, or holds a NUL byte.")
  /// The name of a field is no token (RFC 9112, 5.1).
  static let badFieldName = LeaseholdError(
    .malformedRequest,
    "The name of a header field has a character that none may have, such as a blank before the colon.")
  /// The value of a field holds a control character (RFC 9110, 5.5).
  static let badFieldValue = LeaseholdError(
    .malformedRequest, "The value of a header field has a control character, such as CR without LF.")
  /// More than one, or not a number: Content-Length; or both it and Transfer-Encoding (RFC 9112, 6.3).
  static let ambiguousLength = LeaseholdError(.malformedRequest, "The length of the body is given in two ways.")
  /// Transfer-Encoding is not exactly "chunked", or came with HTTP/1.0.
  static let unknownTransferEncoding = LeaseholdError(
    .malformedRequest, "The only Transfer-Encoding understood is chunked, and that in HTTP/1.1.")
  // More than one Host, none with HTTP/1.1, or one that is no host (RFC 9112, 3.2).
  static let repeatedHost = LeaseholdError(.malformedRequest, "Host is given more than once.")
  static let missingHost = LeaseholdError(
    .malformedRequest, "The Host header is missing, which each request of HTTP/1.1 must have.")
  static let malformedHost = LeaseholdError(
    .malformedRequest, "The Host header is no host name or address with or without a port.")

  /// A request that libmicrohttpd refuses by itself, before a handler sees it, with a page of its own.
  static func unread(status: Int, page: UnsafeRawBufferPointer) -> LeaseholdError {
    func mentions(_ word: String) -> Bool { String(decoding: page, as: UTF8.self).contains(word) }
    return switch status {
    case 400 where mentions("Content-Length"):
      LeaseholdError(.malformedRequest, "The Content-Length is not one whole number.")
    case 400 where mentions("chunk"):
      LeaseholdError(.malformedRequest, "The chunks of the body are not as RFC 9112, 7.1 has them.")
    case 400:
      LeaseholdError(
        .malformedRequest, "The request line is not METHOD TARGET HTTP/1.1, or a header field is not NAME: VALUE.")
    case 413: LeaseholdError(.bodyTooLarge, "The length of the body has more than 64 bits.")
    case 414:
      LeaseholdError(
        .uriTooLong, "The request line does not fit into the memory of a connection (--connection-memory).")
    case 431:
      LeaseholdError(
        .headersTooLarge, "The header fields do not fit into the memory of a connection (--connection-memory).")
    case 505:
      LeaseholdError(
        .unknownVersion, "The request is not of HTTP/1.1 or HTTP/1.0, the versions that are spoken here.")
    // Want of memory, or anything else.
    default:
      LeaseholdError(.internalError, "The request could not be read; please report this, with what was sent.")
    }
  }
}
