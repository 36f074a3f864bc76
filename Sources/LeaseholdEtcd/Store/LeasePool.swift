internal import EtcdGateway
internal import LeaseholdHost
import Synchronization

/// Leases of etcd that many entries hang on: one for each class of whole seconds, taken only while it is young, never
/// kept alive, never revoked.
///
/// A lease lives for a second longer than its class, so that what is sent while it is younger than that second ends
/// after its ttl by any leader's count.
final class LeasePool: Sendable {
  private struct Made {
    var lease: Int64
    var sent: Int64
    var seconds: Int64
    /// Seconds in which it counts as young.
    var slack: Int64
    var isUsed = false
  }

  private static let second: Int64 = 1_000_000_000
  private let gateway: EtcdGateway
  /// The lease of each class.
  private let leases = Mutex<[Int64: Made]>([:])
  /// Taken while a lease is granted in line, so that one call serves all who need that class.
  private let turns = (0..<16).map { _ in Turn() }

  /// A mutex in an array.
  private final class Turn: Sendable {
    let mutex = Mutex(())
  }

  init(_ gateway: EtcdGateway) { self.gateway = gateway }

  /// A lease that lives for `ttl` from now on, and the instant that this is counted from: nanoseconds of
  /// CLOCK_MONOTONIC, before etcd granted it.
  ///
  /// - Parameters:
  ///   - ttl: Nanoseconds.
  ///   - slack: Seconds that it may live longer.
  /// - Throws: ``EtcdFailure``, never `unknown`.
  func young(
    for ttl: Int64, slack: Int64 = 1, before deadline: Int64
  ) throws(EtcdFailure) -> (lease: Int64, sent: Int64) {
    let seconds = (ttl + Self.second - 1) / Self.second + slack
    if let found = take(seconds, for: ttl) { return found }
    return try turns[Int(seconds) % turns.count].mutex.withLock { _ throws(EtcdFailure) in
      while true {
        if let found = take(seconds, for: ttl) { return found }
        guard HostClock.monotonic() < deadline else { throw .unavailable("etcd did not grant a lease in time") }
        try make(seconds, slack, before: deadline)
      }
    }
  }

  /// The lease of a class, if it is young enough.
  private func take(_ seconds: Int64, for ttl: Int64) -> (lease: Int64, sent: Int64)? {
    let now = HostClock.monotonic()
    return leases.withLock { leases in
      guard let made = leases[seconds], now + ttl <= made.sent + seconds * Self.second else { return nil }
      leases[seconds]?.isUsed = true
      return (made.lease, now)
    }
  }

  private func make(_ seconds: Int64, _ slack: Int64, before deadline: Int64) throws(EtcdFailure) {
    let sent = HostClock.monotonic()
    let lease = try gateway.grantLease(seconds: seconds, before: deadline)
    leases.withLock { $0[seconds] = Made(lease: lease, sent: sent, seconds: seconds, slack: slack) }
  }

  /// Forgets all: one of them was gone too early.
  func forget() { leases.withLock { $0 = [:] } }

  /// Grants ahead what was used and is about to be too old; forgets what nobody used.
  func refresh(before deadline: Int64) {
    let now = HostClock.monotonic()
    let due = leases.withLock { leases -> [Made] in
      var due: [Made] = []
      for (seconds, made) in leases where made.sent + made.slack * Self.second * 6 / 10 <= now {
        if made.isUsed {
          due.append(made)
        } else if made.sent + made.slack * Self.second <= now {
          leases[seconds] = nil
        }
      }
      return due
    }
    for made in due { try? make(made.seconds, made.slack, before: deadline) }
  }
}
