import CEarlyAnswer
import Logging
import Synchronization

/// Connections that the process could not take, of all listeners, and what was told of them.
struct AcceptTroubles: ~Copyable, Sendable {
  private let toldTurnedAway = Atomic(0)
  private let toldFailures = Atomic(0)

  /// Connections that were closed because the process had no descriptor for them, or the kernel no memory.
  static var turnedAway: Int { Int(clamping: leasehold_turned_away()) }

  /// Tells of those that came since the last time, in one line of a kind.
  func tell(_ log: Logger) {
    if let count = Self.news(Self.turnedAway, toldTurnedAway) {
      log.warning(
        """
        connections were closed because no descriptor, or no memory, was left for them: raise the hard limit \
        (LimitNOFILE=, ulimit -Hn, fs.file-max), or lower --max-connections
        """,
        metadata: ["connections": .stringConvertible(count)])
    }
    var error: Int32 = 0
    if let count = Self.news(Int(clamping: leasehold_accept_failures(&error)), toldFailures) {
      log.warning(
        "connections could not be accepted; those that still wait are tried again",
        metadata: ["attempts": .stringConvertible(count), "reason": .string(errnoText(error))])
    }
  }

  private static func news(_ now: Int, _ told: borrowing Atomic<Int>) -> Int? {
    let before = told.exchange(now, ordering: .relaxed)
    return now > before ? now - before : nil
  }
}
