import CEarlyAnswer
import CMicroHTTPD
import Glibc
import Synchronization

// Plain answers are written to their socket by the thread that makes them. Afterwards libmicrohttpd is given an answer
// of its own for its book-keeping, and what it sends for that is dropped (see cearlyanswer.h).
//
// - An answer that is known at once: its headers cost libmicrohttpd nine allocations and a third of our instructions.
// - A grant to a waiter: it is written by the thread that has just read the release, before the releaser is answered.
//   By way of libmicrohttpd it would go out after two turns of the loop. The thread that took the suspended connection
//   out of the exchange's state owns it until it resumes it: libmicrohttpd does not look at the socket, and it cannot
//   be closed. So the writer is alone.
//
// Everything else goes by `send()`: HTTP/1.0, HEAD, answers that close, streams, answers without a body, long bodies,
// TLS.
extension Exchange {
  /// The progress of an answer that was written here.
  enum Early: UInt8, Sendable {
    case not, whole
    /// The kernel took a part; libmicrohttpd's turn sends the rest.
    case part
  }

  /// Longer bodies are left to libmicrohttpd, which does not copy them.
  private static let bodyLimitBytes = 8192

  private static let descriptorLimit = Int32(leasehold_early_descriptors)

  /// Answers on the connection's thread; false has libmicrohttpd close the connection.
  ///
  /// Only when the whole request has been read: libmicrohttpd closes the connection after any earlier answer.
  func answer() -> Bool {
    guard canBeEarly(response) else { return send() }
    let daemon = connection.daemon
    daemon.scratch.clear()
    daemon.scratch.append(response, requestID: requestID, date: &daemon.date, closes: false)
    early = daemon.scratch.withBytes { connection.write($0) }
    if early == .not { return send() }
    response = .none
    return finishEarly()
  }

  /// Answers a waiter whose suspended connection the caller has, on any thread.
  ///
  /// - Returns: How much the kernel took, for a peer that was there. What it did not take at all goes by way of
  ///   libmicrohttpd, which finds out what is wrong.
  func sendEarly(_ response: borrowing Response) -> Early {
    guard canBeEarly(response), connection.peerIsThere() else { return .not }
    var bytes = ResponseBuffer(capacity: 384 + (response.body.count ?? 0))
    var date = DateField()
    bytes.append(response, requestID: requestID, date: &date, closes: false)
    return bytes.withBytes { connection.write($0) }
  }

  private func canBeEarly(_ response: borrowing Response) -> Bool {
    EarlyAnswers.areOn && connection.daemon.isPlain && version == .http11 && method != .head && keepsConnection
      && !response.closes && (1...Self.bodyLimitBytes).contains(response.body.count ?? 0)
      && connection.descriptor < Self.descriptorLimit && !connection.daemon.draining.load(ordering: .relaxed)
  }

  /// True when the peer did not ask for anything but what HTTP/1.1 does anyway.
  private var keepsConnection: Bool {
    guard let asked = headers[.connection] else { return true }
    return equalsIgnoringCase(asked, "keep-alive")
  }

  /// Has libmicrohttpd end the request whose answer went out early, on the connection's thread.
  ///
  /// The corresponding C function is `MHD_queue_response`.
  func finishEarly() -> Bool {
    guard let stand = connection.daemon.standIn, connection.markEarly() else { return false }
    answered = MHD_queue_response(connection.mhd, 204, stand) == MHD_Result.YES
    return answered
  }

  /// Returns true when the kernel took the whole answer early; what was meant for libmicrohttpd's own is forgotten.
  ///
  /// - Parameter isSent: Whether libmicrohttpd has sent its own. Where it did so in another way, the peer has two
  ///   answers to one request, and the connection is closed before it takes one for that to its next.
  func endEarly(isSent: Bool) -> Bool {
    if wasPending, early == .not { early = parking.withLock { $0.early } }
    guard early != .not else { return false }
    if connection.unmarkEarly(), isSent {
      EarlyAnswers.giveUp()
      connection.drop()
    }
    return early == .whole
  }
}

extension ResponseBuffer {
  /// Appends what ``Exchange/send()`` would have libmicrohttpd send, in the same order.
  ///
  /// The corresponding C function is `MHD_get_reason_phrase_for`.
  @inline(never)
  mutating func append(
    _ response: borrowing Response, requestID: RequestID, date: inout DateField, closes: Bool
  ) {
    switch response.status {
    case 200: append("HTTP/1.1 200 OK\r\n" as StaticString)
    case 201: append("HTTP/1.1 201 Created\r\n" as StaticString)
    case 423: append("HTTP/1.1 423 Locked\r\n" as StaticString)
    default:
      append("HTTP/1.1 " as StaticString)
      append(decimal: UInt64(response.status))
      append(UInt8(ascii: " "))
      if let phrase = MHD_get_reason_phrase_for(UInt32(response.status)) {
        append(contentsOf: UnsafeRawBufferPointer(start: phrase, count: strlen(phrase)))
      }
      append("\r\n" as StaticString)
    }
    appendFields(of: response, requestID: requestID, date: &date, closes: closes)
    switch response.body {
    case .stream: preconditionFailure("libmicrohttpd sends what is still being written")
    case .whole(let body):
      append("Content-Length: ", decimal: body.count)
      append("\r\n\r\n" as StaticString)
      body.withBytes { append(contentsOf: $0) }
    }
  }

  /// Appends the header lines of an answer but the length of its body.
  @inline(__always)
  mutating func appendFields(
    of response: borrowing Response, requestID: RequestID, date: inout DateField, closes: Bool
  ) {
    // One text: each append looks for room.
    append(
      """
      Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nCross-Origin-Resource-Policy: same-origin\r\n\
      Date:\u{20}
      """ as StaticString)
    date.append(to: &self)
    append("\r\nX-Request-Id: " as StaticString)
    append(requestID)
    if response.contentType.utf8CodeUnitCount > 0 {
      append("\r\nContent-Type: " as StaticString)
      append(response.contentType)
    }
    append("\r\n" as StaticString)
    if let lease = response.location {
      append("Location: " as StaticString)
      append(pathOf: lease)
      append("\r\n" as StaticString)
    }
    response.lines.withBytes { append(contentsOf: $0) }
    if response.retryAfterSeconds > 0 {
      append("Retry-After: ", decimal: Int(response.retryAfterSeconds))
      append("\r\n" as StaticString)
    }
    if closes { append("Connection: close\r\n" as StaticString) }
  }
}

extension PeerConnection {
  /// Writes an answer to the socket without waiting, and keeps what the kernel did not take.
  ///
  /// Only for the connection's own thread, or for the thread that has the suspended connection.
  ///
  /// The corresponding C function is `send`.
  func write(_ bytes: UnsafeRawBufferPointer) -> Exchange.Early {
    let sent = send(descriptor, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
    if sent == bytes.count { return .whole }
    guard sent > 0 else { return .not }
    var left = ResponseBuffer(capacity: bytes.count - sent)
    left.append(contentsOf: UnsafeRawBufferPointer(rebasing: bytes[sent...]))
    rest = EarlyRest(left)
    return .part
  }

  fileprivate func markEarly() -> Bool { leasehold_early_mark(descriptor, rest?.rest) }

  fileprivate func unmarkEarly() -> Bool {
    rest = nil
    return leasehold_early_unmark(descriptor)
  }
}

/// The rest of an answer that the kernel has not taken yet.
final class EarlyRest {
  private let bytes: ResponseBuffer
  let rest: UnsafeMutablePointer<leasehold_rest>

  init(_ bytes: consuming ResponseBuffer) {
    rest = .allocate(capacity: 1)
    rest.initialize(to: leasehold_rest(bytes: bytes.base?.assumingMemoryBound(to: CChar.self), count: bytes.count))
    self.bytes = bytes
  }

  deinit { rest.deallocate() }
}
