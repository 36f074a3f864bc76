extension LocalLockService {
  /// Where this user's daemon listens that serves the IPC namespace, or did so last: URLs, and paths of sockets.
  public static func ownAddresses() -> [String] {
    LedgerSegment.description(key: LocalServiceOptions().controlKey).split(separator: " and ").map(String.init)
  }
}
