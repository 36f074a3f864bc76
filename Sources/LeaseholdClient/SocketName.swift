internal import Glibc
import Synchronization

/// An address as the kernel takes it.
package struct SocketName: Sendable {
  /// Such as AF_UNIX.
  package let family: Int32
  /// A `sockaddr` of that family.
  package let bytes: [UInt8]
}

extension ServiceAddress {
  /// What to connect to, in order; none when the name is unknown, `nil` when nobody says in time.
  ///
  /// - Parameter deadline: Nanoseconds of CLOCK_MONOTONIC.
  package func candidates(before deadline: Int64) -> [SocketName]? {
    switch self {
    case .unix(let path):
      var name = sockaddr_un()
      name.sun_family = sa_family_t(AF_UNIX)
      withUnsafeMutableBytes(of: &name.sun_path) { $0.copyBytes(from: path.utf8.prefix(107)) }
      return [SocketName(family: AF_UNIX, bytes: withUnsafeBytes(of: &name) { Array($0) })]
    case .tcp(let host, let port), .tls(let host, let port):
      let numeric = NameLookup.names(host, port, flags: AI_NUMERICHOST)
      return numeric.isEmpty ? NameLookup(host, port).result(before: deadline) : numeric
    }
  }
}

/// Looks a host up on a thread of its own: getaddrinfo(3) takes as long as name servers do, which may be a minute.
private final class NameLookup: Sendable {
  private let host: String
  private let port: UInt16
  private let found = Mutex<[SocketName]?>(nil)
  /// The end to wait at, and the end that is closed when there is a result.
  private let ends: (wait: Int32, close: Int32)

  init(_ host: String, _ port: UInt16) {
    (self.host, self.port) = (host, port)
    var pair: [Int32] = [-1, -1]
    let kind = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
    ends = socketpair(AF_UNIX, kind, 0, &pair) == 0 ? (pair[0], pair[1]) : (-1, -1)
  }

  /// The result; `nil` when it does not come in time, and the thread ends whenever it does.
  func result(before deadline: Int64) -> [SocketName]? {
    guard ends.wait >= 0 else { return nil }
    defer { close(ends.wait) }
    var thread = pthread_t()
    let context = Unmanaged.passRetained(self).toOpaque()
    let created = pthread_create(
      &thread, nil,
      { context in
        if let context { Unmanaged<NameLookup>.fromOpaque(context).takeRetainedValue().look() }
        return nil
      }, context)
    guard created == 0 else {
      Unmanaged<NameLookup>.fromOpaque(context).release()
      close(ends.close)
      return nil
    }
    pthread_detach(thread)
    var entry = pollfd(fd: ends.wait, events: Int16(POLLIN), revents: 0)
    while true {
      let left = deadline - MonotonicTime.now
      guard left > 0 else { return nil }
      let result = poll(&entry, 1, Int32(clamping: (left + 999_999) / 1_000_000))
      if result > 0 { return found.withLock(\.self) }
      if result < 0, errno != EINTR { return nil }
    }
  }

  private func look() {
    let names = Self.names(host, port, flags: 0)
    found.withLock { $0 = names }
    close(ends.close)
  }

  static func names(_ host: String, _ port: UInt16, flags: Int32) -> [SocketName] {
    var hints = addrinfo()
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    hints.ai_flags = AI_NUMERICSERV | flags
    var list: UnsafeMutablePointer<addrinfo>?
    guard getaddrinfo(host, "\(port)", &hints, &list) == 0 else { return [] }
    defer { freeaddrinfo(list) }
    var names: [SocketName] = []
    var entry = list
    while let info = entry?.pointee {
      let bytes = Array(UnsafeRawBufferPointer(start: info.ai_addr, count: Int(info.ai_addrlen)))
      names.append(SocketName(family: info.ai_family, bytes: bytes))
      entry = info.ai_next
    }
    return names
  }
}
