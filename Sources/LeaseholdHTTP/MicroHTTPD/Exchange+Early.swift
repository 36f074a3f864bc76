import CEarlyAnswer
import CMicroHTTPD
import Glibc
import Synchronization

// A grant is written to the socket of its waiter by whoever made it, usually the thread that has just read the release,
// and before the releaser is answered. By way of libmicrohttpd it would go out after two turns of the loop.
//
// Whoever took the suspended connection out of the exchange's state owns it until it resumes it: libmicrohttpd does not
// look at the socket, and it cannot be closed. So the writer is alone. Afterwards libmicrohttpd is resumed and given an
// answer of its own for its book-keeping, and what it sends for that is dropped (see cearlyanswer.h).
extension Exchange {
  /// Writes an answer to the socket of a suspended connection, if it is of the plain kind that can be written here.
  ///
  /// - Returns: Whether the kernel took all of it for a peer that was there. Else it goes by way of libmicrohttpd,
  ///   which finds out what is wrong.
  func sendEarly(_ response: borrowing Response) -> Bool {
    guard Daemon.answersEarly, version == .http11, keepsConnection, response.stream == nil,
      response.status == 201 || response.status == 200, !response.closes, response.extra.isEmpty,
      !connection.daemon.draining.load(ordering: .relaxed), connection.peerIsThere()
    else { return false }
    return response.body.withBytes { body in
      var bytes = ResponseBuffer(capacity: 384 + body.count)
      writeHead(response, length: body.count, into: &bytes)
      bytes.append(contentsOf: body)
      return bytes.withBytes { bytes in
        let sent = connection.write(bytes)
        // Half an answer cannot be taken back. Nobody reads there, so the peer sees the connection end.
        if sent > 0, sent < bytes.count { connection.drop() }
        return sent == bytes.count
      }
    }
  }

  /// Whether the peer did not ask for anything but what HTTP/1.1 does anyway.
  private var keepsConnection: Bool {
    guard let asked = headers[.connection] else { return true }
    return equalsIgnoringCase(asked, "keep-alive")
  }

  /// The headers that `send(_:)` gives the same answer, in libmicrohttpd's order.
  private func writeHead(_ response: borrowing Response, length: Int, into head: inout ResponseBuffer) {
    head.append(response.status == 201 ? "HTTP/1.1 201 Created\r\nDate: " : "HTTP/1.1 200 OK\r\nDate: " as StaticString)
    head.append(imfFixdate: time(nil))
    head.append("\r\nX-Request-Id: " as StaticString)
    withRequestID { head.append(contentsOf: $0) }
    head.append("\r\nContent-Type: " as StaticString)
    head.append(response.contentType)
    head.append("\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n" as StaticString)
    switch response.location {
    case .some(let location):
      head.append("Location: " as StaticString)
      location.withBytes { head.append(contentsOf: $0) }
      head.append("\r\n" as StaticString)
    case .none: break
    }
    head.append("Content-Length: " as StaticString)
    head.append(decimal: length)
    head.append("\r\n\r\n" as StaticString)
  }

  /// Has libmicrohttpd end the request whose answer went out early, on the connection's thread.
  ///
  /// The corresponding C function is `MHD_queue_response`.
  func finishEarly() -> Bool {
    connection.idle(since: monotonicNanoseconds())
    guard let stand = connection.daemon.standIn, leasehold_early_mark(connection.descriptor) else { return false }
    answered = MHD_queue_response(connection.mhd, 200, stand) == MHD_Result.YES
    return answered
  }

  /// Whether the answer went out early; the mark for libmicrohttpd's own is gone after this.
  func wasAnsweredEarly() -> Bool {
    guard wasPending, parking.withLock({ $0.wasSentEarly }) else { return false }
    leasehold_early_unmark(connection.descriptor)
    return true
  }
}

extension Daemon {
  /// Whether answers can go out before libmicrohttpd gets to them.
  static let answersEarly = leasehold_early_works()

  /// What libmicrohttpd sends for a request that has its answer: a byte, so that it calls sendmsg.
  static func makeStandIn() -> OpaquePointer? {
    let byte = UnsafeMutableRawPointer(mutating: ("\n" as StaticString).utf8Start)
    return MHD_create_response_from_buffer(1, byte, .RESPMEM_PERSISTENT)
  }
}
