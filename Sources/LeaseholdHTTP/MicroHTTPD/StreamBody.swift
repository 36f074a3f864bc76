import CMicroHTTPD
import Glibc
import Synchronization

/// A body that goes on: lines written from any thread until `finish`.
///
/// While there is nothing to send the connection is suspended and watched; a write resumes it. Like an ``Exchange`` it
/// has one lock that decides between write and hang-up, and the thread that takes the suspended connection out resumes
/// it.
final class StreamBody: Sendable {
  /// Bytes that may wait for the peer; one more and the connection is dropped, because its peer does not read.
  static let limitBytes = 65_536

  private struct State: ~Copyable, @unchecked Sendable {
    /// Bytes on their way out, the first in front.
    var waiting: ArraySlice<UInt8> = []
    /// Where what is not written comes from, of an answer of events.
    var source: EventSubscriber?
    var finished = false
    /// The peer is gone, does not read, or the listener stops: nothing more is sent.
    var broken = false
    var connection: PeerConnection?
    var suspension = Suspension.none
  }

  private let state = Mutex(State())

  /// Makes a stream; give it to one ``Response``.
  ///
  /// What is written goes before what a source has.
  init(source: EventSubscriber? = nil) {
    if let source { state.withLock { $0.source = source } }
  }

  /// Appends bytes.
  ///
  /// - Returns: False where they are lost: finished, gone, or too slow a reader (``HTTPListener/droppedStreams``).
  @discardableResult
  func write(_ bytes: UnsafeRawBufferPointer) -> Bool {
    var slow: PeerConnection?
    let accepted = change { state in
      guard !state.finished, !state.broken else { return false }
      guard state.waiting.count + bytes.count <= Self.limitBytes else {
        state.broken = true
        slow = state.connection
        return false
      }
      state.waiting.append(contentsOf: bytes)
      return true
    }
    slow?.dropSlow()
    return accepted
  }

  /// Appends the bytes of a buffer.
  @discardableResult
  func write(_ buffer: borrowing ResponseBuffer) -> Bool { buffer.withBytes { write($0) } }

  /// Makes the connection's thread ask the source again.
  func wake() { change { _ in } }

  /// Cuts the body off because its peer does not read, and counts that.
  func dropSlow() {
    let slow = state.withLock { state in
      defer { state.broken = true }
      return state.broken ? nil : state.connection
    }
    guard let slow else { return }
    slow.dropSlow()
    wake()
  }

  /// Ends the body after what was written.
  func finish() { change { $0.finished = true } }

  /// Cuts the body off: the peer sees a connection closed before the end.
  func abort() { change { $0.broken = true } }

  /// The answer is over; what is written from now on is lost.
  func over() {
    state.withLock { state in
      state.broken = true
      state.connection = nil
      state.source = nil
    }
  }

  /// Tells the stream which connection carries it.
  func bind(to connection: PeerConnection) {
    connection.exemptFromIdling()
    state.withLock { $0.connection = connection }
  }

  /// Changes the state and resumes the connection if it was waiting for a change.
  @discardableResult
  private func change<Result: Sendable>(_ body: (inout State) -> Result) -> Result {
    var suspension = Suspension.none
    var daemon: Daemon?
    let result = state.withLock { state in
      let result = body(&state)
      swap(&suspension, &state.suspension)
      daemon = state.connection?.daemon
      return result
    }
    daemon?.resume(suspension)
    return result
  }

  /// Fills libmicrohttpd's buffer, or suspends the connection where there is nothing.
  ///
  /// On the connection's thread.
  fileprivate func read(into buffer: UnsafeMutablePointer<CChar>, atMost limit: Int) -> Int {
    state.withLock { state in
      guard let connection = state.connection else { return endWithError }
      guard !state.broken else { return cutOff(connection, buffer) }
      let target = UnsafeMutableRawPointer(buffer)
      var count = state.source?.isMidway == true ? 0 : state.waiting.move(into: target, atMost: limit)
      if count == 0, let source = state.source { count = source.read(into: target, atMost: limit) }
      if count > 0 { return count }
      if state.finished || state.source?.isOver == true { return endOfStream }
      if case .armed = connection.daemon.suspend(connection, for: self, as: &state.suspension) { return 0 }
      state.broken = true
      return cutOff(connection, buffer)
    }
  }

  /// Ends the connection by a byte that can no longer be sent.
  ///
  /// MHD_CONTENT_READER_END_WITH_ERROR would be the word for it, but libmicrohttpd 0.9.75 then forgets the connection:
  /// it is marked as closed and cleaned up only when something else happens in the loop (MHD_connection_handle_idle
  /// leaves its loop behind try_ready_chunked_body). A failed send is cleaned up at once.
  private func cutOff(_ connection: PeerConnection, _ buffer: UnsafeMutablePointer<CChar>) -> Int {
    connection.drop()
    buffer.pointee = 0x0a
    return 1
  }
}

extension PeerConnection {
  /// Cuts off a peer that does not read, and counts that.
  fileprivate func dropSlow() {
    daemon.droppedStreams.add(1, ordering: .relaxed)
    drop()
  }
}

extension StreamBody: HangupWatch.Target {
  func peerGone() { abort() }
  func listenerStops() { abort() }
}

extension ArraySlice<UInt8> {
  /// Moves bytes out of the front and returns how many.
  mutating func move(into target: UnsafeMutableRawPointer, atMost limit: Int) -> Int {
    let moved = Swift.min(limit, count)
    withUnsafeBytes { if moved > 0, let source = $0.baseAddress { memcpy(target, source, moved) } }
    // What is left of a slice keeps the memory of the whole.
    self = moved == count ? [] : dropFirst(moved)
    return moved
  }
}

private let endOfStream = -1
private let endWithError = -2

extension StreamBody {
  /// Makes libmicrohttpd's side of the stream; it keeps the stream alive until the answer is over.
  func makeResponse() -> OpaquePointer? {
    let retained = Unmanaged.passRetained(self).toOpaque()
    let response = MHD_create_response_from_callback(
      UInt64.max, 4096,
      { stream, _, buffer, limit in
        guard let stream, let buffer else { return endWithError }
        return Unmanaged<StreamBody>.fromOpaque(stream)._withUnsafeGuaranteedRef {
          $0.read(into: buffer, atMost: limit)
        }
      },
      retained,
      { stream in if let stream { Unmanaged<StreamBody>.fromOpaque(stream).release() } })
    if response == nil { Unmanaged<StreamBody>.fromOpaque(retained).release() }
    return response
  }
}
