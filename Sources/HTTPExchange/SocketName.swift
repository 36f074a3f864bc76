internal import Glibc
internal import LeaseholdHost
import Synchronization

/// An address as the kernel takes it.
package struct SocketName: Sendable {
  /// Such as AF_UNIX.
  package let family: Int32
  /// A `sockaddr` of that family.
  package let bytes: [UInt8]
}

extension ServiceAddress {
  /// The names to connect to, in order, at least one; blocks where one has to be looked up.
  ///
  /// - Parameter deadline: Nanoseconds of CLOCK_MONOTONIC.
  package func candidates(before deadline: Int64) throws(HTTPFailure) -> [SocketName] {
    if let known { return known }
    let alarm = Alarm()
    let lookup = NameLookup(self) { alarm.ring() }
    alarm.sleep(until: deadline)
    return try lookup.names()
  }

  /// The names to connect to, in order, at least one; the task waits where one has to be looked up.
  func candidates(before deadline: Int64) async throws(HTTPFailure) -> [SocketName] {
    if let known { return known }
    let alarm = TaskAlarm()
    let lookup = NameLookup(self) { alarm.ring() }
    await alarm.sleep(until: deadline)
    if Task.isCancelled { throw .aborted }
    return try lookup.names()
  }

  /// The names to connect to where nothing has to be looked up.
  private var known: [SocketName]? {
    guard case .unix(let path) = self else { return try? NameLookup.names(of: self, flags: AI_NUMERICHOST).get() }
    var name = sockaddr_un()
    name.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &name.sun_path) { $0.copyBytes(from: path.utf8.prefix(107)) }
    return [SocketName(family: AF_UNIX, bytes: withUnsafeBytes(of: &name) { Array($0) })]
  }
}

/// Looks a host up on a thread of its own: getaddrinfo(3) takes as long as name servers do, which may be a minute.
private final class NameLookup: Sendable {
  private let found = Mutex(Result<[SocketName], HTTPFailure>.failure(.timedOut))

  /// Calls `done` once there is a result; the thread ends whenever that is.
  init(_ address: ServiceAddress, _ done: @escaping @Sendable () -> Void) {
    let thread = HostThread(stackBytes: HostThread.requestStackBytes) { [self] in
      let names = Self.names(of: address, flags: 0)
      found.withLock { $0 = names }
      done()
    }
    if thread != nil { return }
    found.withLock { $0 = .failure(.system(EAGAIN)) }
    done()
  }

  /// The names, once they are found.
  func names() throws(HTTPFailure) -> [SocketName] { try found.withLock(\.self).get() }

  static func names(of address: ServiceAddress, flags: Int32) -> Result<[SocketName], HTTPFailure> {
    guard let (host, port) = address.hostAndPort else { return .success([]) }
    var hints = addrinfo()
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    hints.ai_flags = AI_NUMERICSERV | flags
    var list: UnsafeMutablePointer<addrinfo>?
    let status = getaddrinfo(host, "\(port)", &hints, &list)
    guard status == 0 else {
      let text =
        status == EAI_SYSTEM ? strerror(errno).map { String(cString: $0) } : String(cString: gai_strerror(status))
      return .failure(.unknownHost(text ?? "error \(status)"))
    }
    defer { freeaddrinfo(list) }
    var names: [SocketName] = []
    var entry = list
    while let info = entry?.pointee {
      let bytes = Array(UnsafeRawBufferPointer(start: info.ai_addr, count: Int(info.ai_addrlen)))
      names.append(SocketName(family: info.ai_family, bytes: bytes))
      entry = info.ai_next
    }
    return .success(names)
  }
}
