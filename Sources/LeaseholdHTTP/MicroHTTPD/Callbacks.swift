import CMicroHTTPD
import Glibc

// The functions that libmicrohttpd calls. They capture nothing: the daemon comes as `cls`, the connection as the
// request's context, neither retained. All run on the daemon's thread.

/// A connection was accepted or is about to be closed.
let connectionCallback: MHD_NotifyConnectionCallback = { cls, mhd, context, code in
  guard let cls, let mhd, let context else { return }
  if code == .CONNECTION_NOTIFY_STARTED {
    Unmanaged<Daemon>.fromOpaque(cls)._withUnsafeGuaranteedRef { daemon in
      let connection = PeerConnection(daemon: daemon, mhd: mhd)
      context.pointee = Unmanaged.passRetained(connection).toOpaque()
      daemon.opened(connection)
    }
  } else if let opaque = context.pointee {
    context.pointee = nil
    let connection = Unmanaged<PeerConnection>.fromOpaque(opaque).takeRetainedValue()
    connection.forgetSocket()
    connection.daemon.closed(connection)
    connection.daemon.handler.connectionClosed(connection)
  }
}

/// The request line is there, untouched.
///
/// Its target is copied, because libmicrohttpd takes it to pieces; what is returned becomes the request's context.
let targetCallback:
  @convention(c) (UnsafeMutableRawPointer?, UnsafePointer<CChar>?, OpaquePointer?) -> UnsafeMutableRawPointer? = {
    _, uri, mhd in
    guard let mhd, let context = leasehold_mhd_socket_context(mhd) else { return nil }
    let hasTarget = Unmanaged<PeerConnection>.fromOpaque(context)._withUnsafeGuaranteedRef { connection in
      connection.target.clear()
      connection.targetStart = 0
      guard let uri else { return true }
      let count = strlen(uri)
      let isCopied = uri.withMemoryRebound(to: UInt8.self, capacity: count) { bytes in
        connection.target.append(bytes, count: count)
      }
      // libmicrohttpd would put each argument of the query into the connection's memory; they are not read there.
      if let query = strchr(uri, 0x3F) { query[1] = 0 }
      return isCopied
    }
    // Without memory for the target there is no request: the connection is closed, nothing is said of what was sent.
    return hasTarget ? context : nil
  }

/// Leaves the path as it was sent: "%2F" in a key must not become "/".
let unescapeCallback: @convention(c) (UnsafeMutableRawPointer?, OpaquePointer?, UnsafeMutablePointer<CChar>?) -> Int = {
  _, _, text in
  text.map { strlen($0) } ?? 0
}

/// Headers, a piece of the body, or the end of the request.
let requestCallback: MHD_AccessHandlerCallback = { _, _, url, method, version, piece, size, context in
  guard let context, let opaque = context.pointee, let size else { return MHD_Result.NO }
  return Unmanaged<PeerConnection>.fromOpaque(opaque)._withUnsafeGuaranteedRef { connection in
    guard let exchange = connection.current else {
      return connection.begin(url: url, method: method, version: version) ? MHD_Result.YES : MHD_Result.NO
    }
    if size.pointee > 0, let piece {
      let count = size.pointee
      size.pointee = 0
      return piece.withMemoryRebound(to: UInt8.self, capacity: count) {
        connection.take($0, count: count, for: exchange) ? MHD_Result.YES : MHD_Result.NO
      }
    }
    return connection.advance(exchange) ? MHD_Result.YES : MHD_Result.NO
  }
}

/// A request is over, one way or the other.
let completedCallback: MHD_RequestCompletedCallback = { _, _, context, code in
  guard let context, let opaque = context.pointee else { return }
  context.pointee = nil
  Unmanaged<PeerConnection>.fromOpaque(opaque)._withUnsafeGuaranteedRef { connection in
    connection.end(delivered: code == .REQUEST_TERMINATED_COMPLETED_OK)
  }
}

/// Notes one header of the request.
private let headerCallback: MHD_KeyValueIteratorN = { exchange, _, key, keySize, value, valueSize in
  guard let exchange, let key, let value else { return MHD_Result.YES }
  key.withMemoryRebound(to: UInt8.self, capacity: keySize) { key in
    value.withMemoryRebound(to: UInt8.self, capacity: valueSize) { value in
      Unmanaged<Exchange>.fromOpaque(exchange)._withUnsafeGuaranteedRef {
        $0.headers.take(
          UnsafeBufferPointer(start: key, count: keySize), UnsafeBufferPointer(start: value, count: valueSize))
      }
    }
  }
  return MHD_Result.YES
}

extension Exchange {
  /// Reads the request's headers in one pass, and notes what is wrong with the lines of the head.
  ///
  /// The corresponding C function is `MHD_get_connection_values_n`.
  func captureHeaders(url: UnsafePointer<CChar>?, method: UnsafePointer<CChar>?, version: UnsafePointer<CChar>?) {
    guard let url, let method, let version else { return note(.malformedRequestLine) }
    let start = UInt(bitPattern: method)
    headers.lines.begin(
      method: start, methodSize: strlen(method), target: UInt(bitPattern: url), targetSize: connection.target.count,
      version: UInt(bitPattern: version))
    let box = Unmanaged.passUnretained(self).toOpaque()
    MHD_get_connection_values_n(connection.mhd, .HEADER_KIND, headerCallback, box)
    headers.lines.finish(at: start + UInt(leasehold_mhd_head_size(connection.mhd)))
    if let flaw = headers.lines.flaw { note(flaw) }
  }
}
