internal import Glibc
internal import LeaseholdHost
import Synchronization

/// A connection of HTTP/1.1 to one peer as ``HTTPConnection`` is one, for one task at a time: no thread waits with it.
///
/// A call of a task that is canceled fails with ``HTTPFailure/aborted``.
package final class TaskConnection: Sendable {
  /// The other side.
  package let peer: HTTPPeer
  private let current = Mutex<Socket?>(nil)

  /// Makes a connection; it connects with its first exchange.
  package init(_ peer: HTTPPeer) { self.peer = peer }

  /// Closes; the next exchange connects anew.
  package func close() { current.withLock { $0 = nil } }

  /// True while it is connected, as far as is known.
  package var isOpen: Bool { current.withLock { $0 != nil } }

  /// True where it is connected and nothing has come meanwhile; the peer may still close it in the next moment.
  package var isKept: Bool {
    guard let socket = current.withLock({ $0 }) else { return false }
    if socket.isIdle { return true }
    close()
    return false
  }

  /// Connects, unless it is connected: what fails here was never asked of the peer.
  package func open(before deadline: Int64) async throws(HTTPFailure) {
    if isKept { return }
    let deadline = min(deadline, HostClock.monotonic(after: peer.patience))
    var last = HTTPFailure.timedOut
    for candidate in try await candidates(before: deadline) {
      do throws(HTTPFailure) {
        let socket = try Socket(candidate, peer)
        try await opened(socket, before: deadline)
        current.withLock { $0 = socket }
        return
      } catch {
        last = error
        if !error.mayBeOfOneAddress { break }
      }
    }
    throw last
  }

  /// Sends a request and waits for the whole answer, whatever its status; after a failure it is closed.
  package func exchange(_ request: [UInt8], before deadline: Int64) async throws(HTTPFailure) -> Response {
    do throws(HTTPFailure) {
      let reader = try await begin(request, before: deadline)
      let body = try await reader.readBody(deadline: deadline)
      if reader.isLast { close() }
      return Response(status: reader.status, body: body)
    } catch {
      close()
      throw error
    }
  }

  /// Sends a request and reads the head of its answer, whose body is the caller's to read; the caller closes.
  package func begin(_ request: [UInt8], before deadline: Int64) async throws(HTTPFailure) -> TaskReader {
    try await open(before: deadline)
    guard let socket = current.withLock({ $0 }) else { throw .aborted }
    var rest = request[...]
    while !rest.isEmpty {
      let sending = rest
      rest = rest.dropFirst(
        try await socket.finish(before: deadline) { socket throws(HTTPFailure) in try socket.send(sending) })
    }
    let reader = TaskReader(socket)
    try await reader.readHead(deadline: deadline)
    return reader
  }

  private func opened(_ socket: Socket, before deadline: Int64) async throws(HTTPFailure) {
    do throws(HTTPFailure) {
      try await socket.finish(before: deadline) { socket throws(HTTPFailure) in try socket.open() }
    } catch {
      throw socket.failure(opening: error)
    }
  }

  /// The names to connect to; one that has to be looked up is, on a thread.
  private func candidates(before deadline: Int64) async throws(HTTPFailure) -> [SocketName] {
    if let known = peer.address.numericCandidates { return known }
    let peer = peer
    let result = await withCheckedContinuation { continuation in
      let thread = HostThread(stackBytes: HostThread.requestStackBytes) {
        continuation.resume(returning: Result { () throws(HTTPFailure) in try peer.candidates(before: deadline) })
      }
      if thread == nil { continuation.resume(returning: .failure(.system(EAGAIN))) }
    }
    return try result.get()
  }
}

/// Reads one HTTP/1.1 answer from a socket, for a task.
package final class TaskReader: @unchecked Sendable {
  // Used by one task at a time.
  private let socket: Socket
  private var parser = AnswerParser()

  init(_ socket: Socket) { self.socket = socket }

  /// The HTTP status.
  package var status: Int { parser.status }
  /// True where the connection ends with this answer.
  var isLast: Bool { parser.isLast }

  func readHead(deadline: Int64) async throws(HTTPFailure) {
    try await part(deadline) { parser throws(HTTPFailure) in try parser.head() }
  }

  /// Reads the whole body.
  package func readBody(deadline: Int64) async throws(HTTPFailure) -> [UInt8] {
    try await part(deadline) { parser throws(HTTPFailure) in try parser.wholeBody() }
  }

  /// Reads the next line of the body, without its end; `nil` at the end of the body.
  package func readLine(deadline: Int64, bytesMax: Int = 16 << 20) async throws(HTTPFailure) -> [UInt8]? {
    try await part(deadline) { parser throws(HTTPFailure) in try parser.line(bytesMax: bytesMax) }
  }

  private func part<Part>(
    _ deadline: Int64, _ read: @Sendable (inout AnswerParser) throws(HTTPFailure) -> Part?
  ) async throws(HTTPFailure) -> Part {
    while true {
      if let part = try read(&parser) { return part }
      try parser.take(
        try await socket.finish(before: deadline) { socket throws(HTTPFailure) in try socket.receive() })
    }
  }
}

extension Socket {
  /// Lets a task wait until a call is done.
  fileprivate func finish<Value>(
    before deadline: Int64, _ call: @Sendable (Socket) throws(HTTPFailure) -> Tried<Value>
  ) async throws(HTTPFailure) -> Value {
    while true {
      switch try call(self) {
      case .done(let value): return value
      case .blocked(let events):
        switch await TaskPoller.shared.wait(TaskPoller.shared.token(), for: self, events, until: deadline) {
        case .ready: continue
        case .timedOut: throw .timedOut
        case .ended: throw .aborted
        case .failed(let code): throw .system(code)
        }
      }
    }
  }
}
