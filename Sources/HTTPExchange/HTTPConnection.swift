internal import LeaseholdHost
import Synchronization

/// A connection of HTTP/1.1 to one peer that is kept from one exchange to the next; for one thread at a time.
///
/// Each call blocks until its deadline, nanoseconds of CLOCK_MONOTONIC. Nothing is ever sent twice: only the caller
/// knows whether a request that failed may be repeated.
package final class HTTPConnection: Sendable {
  /// The other side.
  package let peer: HTTPPeer
  private let current = Mutex<Socket?>(nil)
  private let isAborted = Mutex(false)

  /// Makes a connection; it connects with its first exchange.
  package init(_ peer: HTTPPeer) { self.peer = peer }

  /// Makes the call that is under way fail, and every later one; may be called by any thread.
  package func abort() {
    isAborted.withLock { $0 = true }
    current.withLock { $0?.abort() }
  }

  /// Closes; the next exchange connects anew.
  package func close() { current.withLock { $0 = nil } }

  /// The port of this side, while connected over TCP.
  package var localPort: UInt16? { current.withLock { $0 }?.localPort }

  /// True where it is connected and nothing has come meanwhile; the peer may still close it in the next moment.
  package var isKept: Bool {
    guard let socket = current.withLock({ $0 }) else { return false }
    if socket.isIdle { return true }
    close()
    return false
  }

  /// Connects, unless it is connected: what fails here was never asked of the peer.
  package func open(before deadline: Int64) throws(HTTPFailure) {
    if !isKept { _ = try connect(before: deadline) }
  }

  /// Sends a request and waits for the whole answer, whatever its status; after a failure it is closed.
  ///
  /// - Parameter patience: The instant by which the answer must begin, asked for anew at each; `nil` gives up.
  package func exchange(
    _ request: [UInt8], before deadline: Int64, patience: () -> Int64? = { .max }
  ) throws(HTTPFailure) -> Response {
    do throws(HTTPFailure) {
      let reader = try send(request, before: deadline)
      while true {
        guard let end = patience() else { throw .timedOut }
        do throws(HTTPFailure) {
          try reader.readHead(deadline: min(end, deadline))
          break
        } catch {
          guard error == .timedOut, HostClock.monotonic() < deadline else { throw error }
        }
      }
      let response = Response(status: reader.status, body: try reader.readBody(deadline: deadline))
      if reader.isLast { close() }
      return response
    } catch {
      // An answer that comes late must not be taken for that of a later request.
      close()
      throw error
    }
  }

  /// Sends a request and reads the head of its answer, whose body is the caller's to read; the caller closes.
  package func begin(_ request: [UInt8], before deadline: Int64) throws(HTTPFailure) -> ResponseReader {
    let reader = try send(request, before: deadline)
    try reader.readHead(deadline: deadline)
    return reader
  }

  private func send(_ request: [UInt8], before deadline: Int64) throws(HTTPFailure) -> ResponseReader {
    let kept = isKept ? current.withLock { $0 } : nil
    let socket = if let kept { kept } else { try connect(before: deadline) }
    var rest = request[...]
    while !rest.isEmpty {
      rest = try rest.dropFirst(socket.finish(before: deadline) { socket throws(HTTPFailure) in try socket.send(rest) })
    }
    return ResponseReader(socket)
  }

  private func connect(before deadline: Int64) throws(HTTPFailure) -> Socket {
    if isAborted.withLock({ $0 }) { throw .aborted }
    let deadline = min(deadline, HostClock.monotonic(after: peer.patience))
    var last = HTTPFailure.timedOut
    for candidate in try peer.candidates(before: deadline) {
      do throws(HTTPFailure) {
        let socket = try Socket(candidate, peer)
        current.withLock { $0 = socket }
        if isAborted.withLock({ $0 }) { throw .aborted }
        return try opened(socket, before: deadline)
      } catch {
        close()
        last = error
        if !error.mayBeOfOneAddress { break }
      }
    }
    throw last
  }

  private func opened(_ socket: Socket, before deadline: Int64) throws(HTTPFailure) -> Socket {
    do throws(HTTPFailure) {
      try socket.finish(before: deadline) { socket throws(HTTPFailure) in try socket.open() }
      return socket
    } catch {
      throw socket.failure(opening: error)
    }
  }
}
