internal import Glibc
internal import LeaseholdHTTP

/// Listening sockets that the service manager opened and handed over.
///
/// The protocol is that of sd_listen_fds(3): descriptors from 3 on, as many as `$LISTEN_FDS` says, for the process
/// `$LISTEN_PID`, with the names in `$LISTEN_FDNAMES`. Such a socket takes the place of the configured listener of its
/// kind, TCP or Unix, and keeps what was not accepted yet for the next daemon.
struct InheritedSockets: Sendable, Equatable {
  /// The address that a socket listens on.
  enum Address: Sendable, Equatable {
    /// A path; an abstract name begins with `@`.
    case unix(String)
    /// A literal address and a port.
    case tcp(host: String, port: UInt16)
  }

  /// One socket.
  struct Socket: Sendable, Equatable {
    let descriptor: Int32
    /// The name that the service manager gives it; may be empty.
    let name: String
    let address: Address
  }

  private static let first: Int32 = 3
  /// More is a mistake: every descriptor is looked at.
  private static let socketsMax: Int32 = 64

  let sockets: [Socket]

  /// Looks at the sockets that the environment announces.
  ///
  /// - Throws: An error with ``ExitStatus/configuration`` for what is no listening stream socket. Whether an
  ///   address may be served is for ``ServeOptions/check(_:)`` to say.
  init(
    environment: [String: String], processID: Int32 = getpid(),
    address: (Int32) -> Address? = Address.init(listeningAt:)
  ) throws(Failure) {
    guard environment["LISTEN_PID"] == String(processID), let announced = environment["LISTEN_FDS"] else {
      sockets = []
      return
    }
    guard let count = Int32(announced), (0...Self.socketsMax).contains(count) else {
      throw Failure("LISTEN_FDS is '\(announced)': a number from 0 to \(Self.socketsMax) is expected", .configuration)
    }
    let names = environment["LISTEN_FDNAMES"].map { $0.split(separator: ":", omittingEmptySubsequences: false) } ?? []
    var sockets: [Socket] = []
    for (index, descriptor) in (Self.first..<Self.first + count).enumerated() {
      let name = index < names.count ? String(names[index]) : ""
      guard let address = address(descriptor) else {
        throw Failure(
          "descriptor \(descriptor) (\(name)) of the service manager is not a listening stream socket: "
            + "use ListenStream= and Accept=no in the socket unit", .configuration)
      }
      sockets.append(Socket(descriptor: descriptor, name: name, address: address))
    }
    self.sockets = sockets
  }

  /// The hosts of the TCP sockets, in their order.
  var hosts: [String] {
    sockets.compactMap { if case .tcp(let host, _) = $0.address { host } else { nil } }
  }

  /// The path of the first Unix socket; `nil` without one.
  var unixPath: String? {
    sockets.lazy.compactMap { if case .unix(let path) = $0.address { path } else { nil } }.first
  }

  /// Puts the sockets in the place of the configured listeners of their kind.
  func replaceListeners(of options: inout ServerOptions) {
    for socket in sockets {
      options.inherited.append(socket.descriptor)
      switch socket.address {
      case .tcp(let host, _):
        options.host = nil
        // A listener's own address is one of its names.
        options.allowedHosts.append((host.contains(":") ? "[\(host)]" : host).lowercased())
      case .unix: options.unixPath = nil
      }
    }
  }
}

extension InheritedSockets.Address: CustomStringConvertible {
  /// The address of a listening stream socket; `nil` for any other descriptor.
  init?(listeningAt descriptor: Int32) {
    guard Self.option(SO_ACCEPTCONN, of: descriptor) == 1,
      Self.option(SO_TYPE, of: descriptor) == Int32(SOCK_STREAM.rawValue)
    else { return nil }
    var storage = sockaddr_storage()
    var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
    let address: Self? = withUnsafeMutablePointer(to: &storage) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
        guard getsockname(descriptor, address, &size) == 0 else { return nil }
        return Int32(address.pointee.sa_family) == AF_UNIX
          ? .unix(Self.path(UnsafeRawPointer(address), Int(size))) : Self.tcp(address, size)
      }
    }
    guard let address else { return nil }
    self = address
  }

  private static func option(_ name: Int32, of descriptor: Int32) -> Int32? {
    var value: Int32 = 0
    var size = socklen_t(MemoryLayout<Int32>.size)
    return getsockopt(descriptor, SOL_SOCKET, name, &value, &size) == 0 ? value : nil
  }

  private static func path(_ address: UnsafeRawPointer, _ size: Int) -> String {
    let head = MemoryLayout<sa_family_t>.size
    var bytes = [UInt8](UnsafeRawBufferPointer(start: address, count: size).dropFirst(head))
    if bytes.first == 0 { bytes[0] = UInt8(ascii: "@") }
    return String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
  }

  private static func tcp(_ address: UnsafePointer<sockaddr>, _ size: socklen_t) -> Self? {
    var host = [CChar](repeating: 0, count: Int(NI_MAXHOST))
    var port = [CChar](repeating: 0, count: Int(NI_MAXSERV))
    let flags = NI_NUMERICHOST | NI_NUMERICSERV
    guard
      getnameinfo(address, size, &host, socklen_t(host.count), &port, socklen_t(port.count), flags) == 0,
      let number = UInt16(Self.text(port))
    else { return nil }
    return .tcp(host: Self.text(host), port: number)
  }

  private static func text(_ characters: [CChar]) -> String {
    String(decoding: characters.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  var description: String {
    switch self {
    case .unix(let path): path
    case .tcp(let host, let port): host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    }
  }
}
