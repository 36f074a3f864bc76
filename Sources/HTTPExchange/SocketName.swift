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
  /// The names to connect to, in order, at least one.
  ///
  /// - Parameter deadline: Nanoseconds of CLOCK_MONOTONIC.
  /// - Throws: A failure when no answer comes in time, or why there is none.
  package func candidates(before deadline: Int64) throws(NameFailure) -> [SocketName] {
    if let numericCandidates { return numericCandidates }
    switch self {
    case .unix: return []
    case .tcp(let host, let port), .tls(let host, let port):
      guard let result = NameLookup(host, port).result(before: deadline) else { throw .timedOut }
      return try result.get()
    }
  }

  /// The names to connect to where nothing has to be looked up.
  var numericCandidates: [SocketName]? {
    switch self {
    case .unix(let path):
      var name = sockaddr_un()
      name.sun_family = sa_family_t(AF_UNIX)
      withUnsafeMutableBytes(of: &name.sun_path) { $0.copyBytes(from: path.utf8.prefix(107)) }
      return [SocketName(family: AF_UNIX, bytes: withUnsafeBytes(of: &name) { Array($0) })]
    case .tcp(let host, let port), .tls(let host, let port):
      return try? NameLookup.names(host, port, flags: AI_NUMERICHOST).get()
    }
  }
}

/// Why a host has no address.
package enum NameFailure: Error, Equatable {
  case timedOut
  /// The words of gai_strerror(3).
  case unknown(String)
}

/// Looks a host up on a thread of its own: getaddrinfo(3) takes as long as name servers do, which may be a minute.
private final class NameLookup: Sendable {
  private let host: String
  private let port: UInt16
  private let found = Mutex<Result<[SocketName], NameFailure>?>(nil)
  private let alarm = Alarm()

  init(_ host: String, _ port: UInt16) { (self.host, self.port) = (host, port) }

  /// The result; `nil` when it does not come in time, and the thread ends whenever it does.
  func result(before deadline: Int64) -> Result<[SocketName], NameFailure>? {
    let thread = HostThread(stackBytes: HostThread.requestStackBytes) { [self] in
      let names = Self.names(host, port, flags: 0)
      found.withLock { $0 = names }
      alarm.ring()
    }
    guard thread != nil else { return nil }
    alarm.sleep(until: deadline)
    return found.withLock(\.self)
  }

  static func names(_ host: String, _ port: UInt16, flags: Int32) -> Result<[SocketName], NameFailure> {
    var hints = addrinfo()
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    hints.ai_flags = AI_NUMERICSERV | flags
    var list: UnsafeMutablePointer<addrinfo>?
    let status = getaddrinfo(host, "\(port)", &hints, &list)
    guard status == 0 else {
      let text =
        status == EAI_SYSTEM ? strerror(errno).map { String(cString: $0) } : String(cString: gai_strerror(status))
      return .failure(.unknown(text ?? "error \(status)"))
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
