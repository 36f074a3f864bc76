internal import Glibc
internal import LeaseholdHost
import Synchronization

/// A stream socket, with TLS where the address says so.
///
/// No call blocks, but for ``wait(_:before:)``; one thread at a time calls, and another may abort.
final class Socket: Sendable {
  private struct State {
    var isConnected: Bool
    var isAborted = false
  }

  /// Closed when this is let go.
  let descriptor: Int32
  private let state: Mutex<State>
  private let tls: TLSSession?

  /// Begins to connect; ``open()`` ends that.
  init(_ candidate: SocketName, _ peer: HTTPPeer) throws(HTTPFailure) {
    let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
    let descriptor = socket(candidate.family, kind, 0)
    guard descriptor >= 0 else { throw .system(errno) }
    self.descriptor = descriptor
    let result = candidate.bytes.withUnsafeBytes { bytes -> Int32 in
      guard let base = bytes.baseAddress else { return -1 }
      return connect(descriptor, base.assumingMemoryBound(to: sockaddr.self), socklen_t(bytes.count))
    }
    state = Mutex(State(isConnected: result == 0))
    do throws(HTTPFailure) {
      guard result == 0 || errno == EINPROGRESS || errno == EAGAIN || errno == EINTR else { throw .system(errno) }
      if case .tls(let host, _) = peer.address {
        tls = try TLSSession(descriptor, host: host, peer: peer)
      } else {
        tls = nil
      }
    } catch {
      close(descriptor)
      throw error
    }
    var on: Int32 = 1
    if candidate.family != AF_UNIX {
      setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
    }
  }

  deinit {
    tls?.end()
    close(descriptor)
  }

  /// Makes every call fail, now and later; may be called by any thread.
  func abort() {
    state.withLock { $0.isAborted = true }
    _ = shutdown(descriptor, Int32(SHUT_RDWR))
  }

  /// True while nothing has come and the other side has not closed: it may be used for another request.
  var isIdle: Bool {
    if state.withLock(\.isAborted) { return false }
    return tls?.isIdle ?? !has(Int16(POLLIN))
  }

  /// True where an event of poll(2) has happened.
  func has(_ events: Int16) -> Bool {
    var entry = pollfd(fd: descriptor, events: events, revents: 0)
    return poll(&entry, 1, 0) != 0
  }

  /// The port of this side; `nil` for Unix sockets.
  var localPort: UInt16? {
    var address = sockaddr_in6()
    var length = socklen_t(MemoryLayout<sockaddr_in6>.size)
    let result = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &length) }
    }
    let family = Int32(address.sin6_family)
    // Both families have the port at the same place.
    return result == 0 && (family == AF_INET || family == AF_INET6) ? UInt16(bigEndian: address.sin6_port) : nil
  }

  /// Connects, and checks the peer where the address is one of TLS.
  func open() throws(HTTPFailure) -> Tried<Void> {
    if !isConnected {
      guard has(Int16(POLLOUT)) else { return .blocked(self, Int16(POLLOUT)) }
      var code: Int32 = 0
      var length = socklen_t(MemoryLayout<Int32>.size)
      getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &code, &length)
      guard code == 0 else { throw failure(code) }
      state.withLock { $0.isConnected = true }
    }
    guard let tls else { return .done(()) }
    return try sealed(tls) { () throws(HTTPFailure) in try tls.shakeHands() }
  }

  /// True once the kernel has connected it, whatever TLS does.
  var isConnected: Bool { state.withLock(\.isConnected) }

  /// Sends what there is room for, at least a byte, and says how many.
  func send(_ bytes: ArraySlice<UInt8>) throws(HTTPFailure) -> Tried<Int> {
    if let tls { return try sealed(tls) { () throws(HTTPFailure) in try tls.send(bytes) } }
    while true {
      let count = bytes.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
      if count >= 0 { return .done(count) }
      if errno == EAGAIN { return .blocked(self, Int16(POLLOUT)) }
      if errno != EINTR { throw failure(errno) }
    }
  }

  /// Receives what is there, at least a byte; nothing when the other side has closed.
  func receive() throws(HTTPFailure) -> Tried<[UInt8]> {
    if let tls { return try sealed(tls) { () throws(HTTPFailure) in try tls.receive() } }
    while true {
      var count = 0
      let bytes = [UInt8](unsafeUninitializedCapacity: 16384) { buffer, initialized in
        count = recv(descriptor, buffer.baseAddress, buffer.count, 0)
        initialized = max(count, 0)
      }
      if count == 0, state.withLock(\.isAborted) { throw .aborted }
      if count >= 0 { return .done(bytes) }
      if errno == EAGAIN { return .blocked(self, Int16(POLLIN)) }
      if errno != EINTR { throw failure(errno) }
    }
  }

  /// Blocks until there are events.
  func wait(_ events: Int16, before deadline: Int64) throws(HTTPFailure) {
    while true {
      guard deadline > HostClock.monotonic() else { throw .timedOut }
      var entry = pollfd(fd: descriptor, events: events, revents: 0)
      let result = poll(&entry, 1, HostClock.milliseconds(until: deadline))
      if result > 0 { return }
      if result < 0, errno != EINTR { throw .system(errno) }
    }
  }

  /// Runs a call of TLS; what an abort made of it is an abort.
  private func sealed<Value>(
    _ tls: TLSSession, _ call: () throws(HTTPFailure) -> Value?
  ) throws(HTTPFailure) -> Tried<Value> {
    do throws(HTTPFailure) {
      if let value = try call() { return .done(value) }
      return .blocked(self, tls.direction)
    } catch {
      throw state.withLock(\.isAborted) ? .aborted : error
    }
  }

  private func failure(_ code: Int32) -> HTTPFailure { state.withLock(\.isAborted) ? .aborted : .system(code) }
}
