/// Which daemon serves, as the ledger's header says it.
///
/// Number and start tell it from every other on this host, so that a daemon that comes later can wait for the end of
/// one that still runs, and that one can see that it was succeeded.
struct ServerMark: Equatable, Sendable {
  /// Its number in its PID namespace.
  var pid: UInt64 = 0
  /// When it began to serve, in microseconds of the wall clock.
  var started: UInt64 = 0
  /// When its process began, in clock ticks since boot; 0 where that is not known.
  var processStarted: UInt64 = 0
  /// The inode of its PID namespace; 0 where that is not known.
  var namespace: UInt64 = 0

  static let nobody = ServerMark()

  /// This process, from now on.
  static func own(startedMicroseconds: Int64) -> ServerMark {
    ServerMark(
      pid: UInt64(HostFacts.pid), started: UInt64(clamping: startedMicroseconds),
      processStarted: ProcessFacts(HostFacts.pid)?.started ?? 0, namespace: ProcessFacts.ownNamespace() ?? 0)
  }
}

extension LedgerSegment {
  /// True when another daemon has written its name into the header since this one did: a look at two words.
  @inline(__always)
  var namesAnother: Bool { headerWord(3) != server.pid || headerWord(4) != server.started }

  /// The daemon that the header names.
  var namedServer: ServerMark {
    ServerMark(
      pid: headerWord(3), started: headerWord(4), processStarted: headerWord(8), namespace: headerWord(9))
  }

  /// Names the daemon in the header.
  func name(_ mark: ServerMark) {
    server = mark
    setHeaderWord(8, mark.processStarted)
    setHeaderWord(9, mark.namespace)
    setHeaderWord(3, mark.pid)
    setHeaderWord(4, mark.started)
  }
}
