internal import Glibc
internal import LeaseholdHost
import Synchronization

/// A stream socket, with TLS where the address says so, whose calls block until a deadline; another thread may abort
/// them.
final class Socket: Sendable {
  private struct State {
    var descriptor: Int32
    var isAborted = false
  }

  private let descriptor: Int32
  private let state: Mutex<State>
  private let tls: TLSSession?

  /// Connects, and checks the peer where the address is one of TLS.
  ///
  /// - Parameter deadline: Nanoseconds of CLOCK_MONOTONIC.
  init(_ peer: HTTPPeer, deadline: Int64) throws(HTTPFailure) {
    let descriptor = try Self.connected(peer.address, deadline: deadline)
    self.descriptor = descriptor
    state = Mutex(State(descriptor: descriptor))
    guard case .tls(let host, _) = peer.address else {
      tls = nil
      return
    }
    do throws(HTTPFailure) {
      let session = try TLSSession(descriptor, host: host, trust: peer.trust)
      try session.shakeHands { events throws(HTTPFailure) in try Self.wait(descriptor, events, deadline) }
      tls = session
    } catch {
      close(descriptor)
      throw error
    }
  }

  deinit {
    tls?.end()
    close(descriptor)
  }

  /// Makes every call fail, now and later; may be called by any thread.
  func abort() {
    state.withLock { state in
      state.isAborted = true
      _ = shutdown(state.descriptor, Int32(SHUT_RDWR))
    }
  }

  /// True while nothing has come and the other side has not closed: it may be used for another request.
  var isIdle: Bool {
    if state.withLock(\.isAborted) { return false }
    if let tls { return tls.isIdle }
    var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    return poll(&entry, 1, 0) == 0
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

  /// Sends all of it.
  func send(_ bytes: [UInt8], deadline: Int64) throws(HTTPFailure) {
    if let tls { return try sealed(deadline) { wait throws(HTTPFailure) in try tls.send(bytes, wait: wait) } }
    var sent = 0
    while sent < bytes.count {
      let count = bytes.withUnsafeBytes {
        Glibc.send(descriptor, $0.baseAddress?.advanced(by: sent), bytes.count - sent, Int32(MSG_NOSIGNAL))
      }
      if count > 0 {
        sent += count
      } else if errno == EAGAIN {
        try ready(Int16(POLLOUT), deadline)
      } else if errno != EINTR {
        throw failure(errno)
      }
    }
  }

  /// Receives what is there, at least a byte; nothing when the other side has closed.
  func receive(deadline: Int64) throws(HTTPFailure) -> [UInt8] {
    if let tls { return try sealed(deadline) { wait throws(HTTPFailure) in try tls.receive(wait: wait) } }
    while true {
      var count = 0
      let bytes = [UInt8](unsafeUninitializedCapacity: 16384) { buffer, initialized in
        count = recv(descriptor, buffer.baseAddress, buffer.count, 0)
        initialized = max(count, 0)
      }
      if count >= 0 {
        if count == 0, state.withLock(\.isAborted) { throw .aborted }
        return bytes
      }
      if errno == EAGAIN {
        try ready(Int16(POLLIN), deadline)
      } else if errno != EINTR {
        throw failure(errno)
      }
    }
  }

  /// Runs a call of TLS; what an abort made of it is an abort.
  private func sealed<Result>(
    _ deadline: Int64, _ call: (TLSSession.Wait) throws(HTTPFailure) -> Result
  ) throws(HTTPFailure) -> Result {
    do throws(HTTPFailure) {
      return try call { events throws(HTTPFailure) in try ready(events, deadline) }
    } catch {
      throw state.withLock(\.isAborted) ? .aborted : error
    }
  }

  private func failure(_ code: Int32) -> HTTPFailure { state.withLock(\.isAborted) ? .aborted : .system(code) }

  private func ready(_ events: Int16, _ deadline: Int64) throws(HTTPFailure) {
    try Self.wait(descriptor, events, deadline)
  }

  private static func wait(_ descriptor: Int32, _ events: Int16, _ deadline: Int64) throws(HTTPFailure) {
    while true {
      let left = deadline - HostClock.monotonic()
      guard left > 0 else { throw .timedOut }
      var entry = pollfd(fd: descriptor, events: events, revents: 0)
      let milliseconds = Int32(clamping: (left + 999_999) / 1_000_000)
      let result = poll(&entry, 1, milliseconds)
      if result > 0 { return }
      if result < 0, errno != EINTR { throw .system(errno) }
    }
  }

  private static func connected(_ address: ServiceAddress, deadline: Int64) throws(HTTPFailure) -> Int32 {
    let candidates: [SocketName]
    do throws(NameFailure) {
      candidates = try address.candidates(before: deadline)
    } catch .unknown(let why) {
      throw .unknownHost(why)
    } catch {
      throw .timedOut
    }
    var last = HTTPFailure.timedOut
    for candidate in candidates {
      do throws(HTTPFailure) {
        return try connected(candidate, deadline: deadline)
      } catch {
        last = error
      }
    }
    throw last
  }

  private static func connected(_ candidate: SocketName, deadline: Int64) throws(HTTPFailure) -> Int32 {
    let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
    let descriptor = socket(candidate.family, kind, 0)
    guard descriptor >= 0 else { throw .system(errno) }
    do throws(HTTPFailure) {
      let result = candidate.bytes.withUnsafeBytes { bytes -> Int32 in
        guard let base = bytes.baseAddress else { return -1 }
        return connect(descriptor, base.assumingMemoryBound(to: sockaddr.self), socklen_t(bytes.count))
      }
      if result != 0 {
        guard errno == EINPROGRESS || errno == EAGAIN || errno == EINTR else { throw .system(errno) }
        try wait(descriptor, Int16(POLLOUT), deadline)
        var code: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &code, &length)
        guard code == 0 else { throw .system(code) }
      }
      var on: Int32 = 1
      if candidate.family != AF_UNIX {
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
      }
      return descriptor
    } catch {
      close(descriptor)
      throw error
    }
  }
}
