internal import LeaseholdHost
import Synchronization

/// A connection of HTTP/1.1 to one peer that is kept from one exchange to the next; for one thread or task at a time.
///
/// Each call waits until its deadline, nanoseconds of CLOCK_MONOTONIC: a thread is blocked, a task is not, and fails
/// with ``HTTPFailure/aborted`` when it is canceled. Nothing is ever sent twice: only the caller knows whether a
/// request that failed may be repeated.
package final class HTTPConnection: Sendable {
  private struct State {
    var socket: Socket?
    var isAborted = false
  }

  /// The other side.
  package let peer: HTTPPeer
  private let state = Mutex(State())

  /// Makes a connection; it connects with its first exchange.
  package init(_ peer: HTTPPeer) { self.peer = peer }

  /// Makes the call that is under way fail, and every later one; may be called by any thread.
  package func abort() {
    state.withLock { state in
      state.isAborted = true
      state.socket?.abort()
    }
  }

  /// Closes; the next exchange connects anew.
  package func close() { state.withLock { $0.socket = nil } }

  /// True while it is connected, as far as is known.
  package var isOpen: Bool { socket != nil }

  /// The port of this side, while connected over TCP.
  package var localPort: UInt16? { socket?.localPort }

  /// True where it is connected and nothing has come meanwhile; the peer may still close it in the next moment.
  package var isKept: Bool {
    guard let socket else { return false }
    if socket.isIdle { return true }
    close()
    return false
  }

  private var socket: Socket? { state.withLock(\.socket) }

  /// Connects to the first of some addresses that lets it.
  private func connect(_ names: inout ArraySlice<SocketName>) throws(HTTPFailure) -> Tried<Void> {
    while true {
      do throws(HTTPFailure) {
        if let socket { return try socket.open() }
        let socket = try Socket(names.removeFirst(), peer)
        let isAborted = state.withLock { state in
          state.socket = socket
          return state.isAborted
        }
        if isAborted { throw .aborted }
      } catch {
        close()
        // Another address of the same name may do better.
        guard case .system = error, !names.isEmpty else { throw error }
      }
    }
  }

  private func connected(before deadline: Int64) -> Int64 {
    min(deadline, HostClock.monotonic(after: peer.patience))
  }

  /// The error where it could not be connected, or not in time.
  private func failure(connecting failure: HTTPFailure) -> HTTPFailure {
    defer { close() }
    return failure == .timedOut && socket?.isConnected ?? false ? .tls(.silence) : failure
  }

  private func reader(_ request: [UInt8]) throws(HTTPFailure) -> ResponseReader {
    guard let socket else { throw .aborted }
    return ResponseReader(socket, request)
  }

  private func response(_ reader: ResponseReader, _ body: [UInt8]) -> Response {
    if reader.isLast { close() }
    return Response(status: reader.status, body: body)
  }
}

// For a thread.
extension HTTPConnection {
  /// Connects, unless it is connected: what fails here was never asked of the peer.
  package func open(before deadline: Int64) throws(HTTPFailure) {
    if isKept { return }
    let deadline = connected(before: deadline)
    var names = try peer.address.candidates(before: deadline)[...]
    do throws(HTTPFailure) {
      try finish(before: deadline) { () throws(HTTPFailure) in try connect(&names) }
    } catch {
      throw failure(connecting: error)
    }
  }

  /// Sends a request and waits for the whole answer, whatever its status; after a failure it is closed.
  ///
  /// - Parameter patience: The instant by which the answer must begin, asked for anew at each; `nil` gives up.
  package func exchange(
    _ request: [UInt8], before deadline: Int64, patience: () -> Int64? = { .max }
  ) throws(HTTPFailure) -> Response {
    do throws(HTTPFailure) {
      try open(before: deadline)
      let reader = try reader(request)
      while true {
        guard let end = patience() else { throw .timedOut }
        do throws(HTTPFailure) {
          try finish(before: min(end, deadline), reader.head)
          break
        } catch {
          guard error == .timedOut, HostClock.monotonic() < deadline else { throw error }
        }
      }
      return response(reader, try reader.readBody(deadline: deadline))
    } catch {
      // An answer that comes late must not be taken for that of a later request.
      close()
      throw error
    }
  }

  /// Sends a request and reads the head of its answer, whose body is the caller's to read; the caller closes.
  package func begin(_ request: [UInt8], before deadline: Int64) throws(HTTPFailure) -> ResponseReader {
    try open(before: deadline)
    let reader = try reader(request)
    try finish(before: deadline, reader.head)
    return reader
  }
}

// For a task.
extension HTTPConnection {
  /// Connects, unless it is connected: what fails here was never asked of the peer.
  package func open(before deadline: Int64) async throws(HTTPFailure) {
    if isKept { return }
    let deadline = connected(before: deadline)
    var names = try await peer.address.candidates(before: deadline)[...]
    do throws(HTTPFailure) {
      try await finish(before: deadline) { () throws(HTTPFailure) in try connect(&names) }
    } catch {
      throw failure(connecting: error)
    }
  }

  /// Sends a request and waits for the whole answer, whatever its status; after a failure it is closed.
  package func exchange(_ request: [UInt8], before deadline: Int64) async throws(HTTPFailure) -> Response {
    do throws(HTTPFailure) {
      let reader = try await begin(request, before: deadline)
      return response(reader, try await reader.readBody(deadline: deadline))
    } catch {
      close()
      throw error
    }
  }

  /// Sends a request and reads the head of its answer, whose body is the caller's to read; the caller closes.
  package func begin(_ request: [UInt8], before deadline: Int64) async throws(HTTPFailure) -> ResponseReader {
    try await open(before: deadline)
    let reader = try reader(request)
    try await finish(before: deadline, reader.head)
    return reader
  }
}
