/// Names one client connection for as long as the process lives; 0 means none.
public typealias ConnectionID = UInt64

/// The peer of a connection, as far as the host can tell.
public enum Peer: Hashable, Sendable {
  /// Unknown, or lost in a restart.
  case unknown
  /// TCP over IPv4: address in host byte order, port.
  case ipv4(UInt32, port: UInt16)
  /// TCP over IPv6: the address in two halves, port.
  case ipv6(UInt64, UInt64, port: UInt16)
  /// A Unix socket: process (0 when it cannot be seen from here), user and group, from SO_PEERCRED.
  case local(pid: Int32, uid: UInt32, gid: UInt32)

  /// The process, where it is known and visible.
  public var pid: Int32? {
    if case .local(let pid, _, _) = self, pid > 0 { pid } else { nil }
  }

  /// The user, where it is known.
  public var uid: UInt32? {
    if case .local(_, let uid, _) = self { uid } else { nil }
  }

  /// `127.0.0.1:5555`, `[::1]:5555` or `unix`; `nil` when unknown.
  public var address: String? {
    switch self {
    case .unknown: nil
    case .ipv4(let address, let port):
      "\(address >> 24).\(address >> 16 & 255).\(address >> 8 & 255).\(address & 255):\(port)"
    case .ipv6(0, 1, let port): "[::1]:\(port)"
    case .ipv6(let high, let low, let port): "[" + Self.groups(high) + ":" + Self.groups(low) + "]:\(port)"
    case .local: "unix"
    }
  }

  /// The peer in words, for people.
  public var inWords: String {
    guard case .local(let pid, let uid, _) = self else { return address ?? "unknown" }
    return "uid \(uid)" + (pid > 0 ? ", pid \(pid)" : "")
  }

  private static func groups(_ half: UInt64) -> String {
    stride(from: 48, through: 0, by: -16).map { String(half >> UInt64($0) & 0xffff, radix: 16) }.joined(separator: ":")
  }
}

/// The connection that a request came on, and the caller behind it.
///
/// An object, as it goes through many hands, and nearly all requests of a connection have the same.
public final class Caller: Sendable {
  /// The connection; leases may be bound to it.
  public let connection: ConnectionID
  /// The peer at its other end.
  public let peer: Peer
  /// The groups of a peer on the Unix socket beside its primary one (SO_PEERGROUPS).
  public let groups: [UInt32]
  /// The account that counts for it; `nil` where nothing is counted.
  public let account: CallerAccount?
  /// The confinement of its token; `nil` for none.
  public let confinement: Confinement?
  /// The trace that the request belongs to.
  public let trace: TraceContext

  /// Makes a caller.
  public init(
    connection: ConnectionID, peer: Peer, groups: [UInt32] = [], account: CallerAccount? = nil,
    confinement: Confinement? = nil, trace: TraceContext = .none
  ) {
    self.connection = connection
    self.peer = peer
    self.groups = groups
    self.account = account
    self.confinement = confinement
    self.trace = trace
  }

  /// The same with something else in its place.
  package func with(
    connection: ConnectionID? = nil, peer: Peer? = nil, account: CallerAccount? = nil, confinement: Confinement? = nil
  ) -> Caller {
    Caller(
      connection: connection ?? self.connection, peer: peer ?? self.peer, groups: groups,
      account: account ?? self.account, confinement: confinement ?? self.confinement, trace: trace)
  }

  /// The caller in words, for people: `token ci`, `uid 33, pid 4711` or `127.0.0.1:5555`.
  public var inWords: String { account?.token.map { "token \($0)" } ?? peer.inWords }
}
