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
  /// Classes that are being granted in line, so that one call serves all who need it.
  private let making = Mutex<[Int64: Grant]>([:])

  private final class Grant: Sendable {
    let result = Mutex<Result<Made, EtcdFailure>?>(nil)
    let waiting = Mutex<[Alarm]>([])
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
    while true {
      let now = HostClock.monotonic()
      let found = leases.withLock { leases -> Int64? in
        guard let made = leases[seconds], Self.isYoung(made, for: ttl, at: now) else { return nil }
        leases[seconds]?.isUsed = true
        return made.lease
      }
      if let found { return (found, now) }
      try make(seconds, slack, before: deadline)
    }
  }

  private static func isYoung(_ made: Made, for ttl: Int64, at now: Int64) -> Bool {
    now + ttl <= made.sent + made.seconds * second
  }

  /// Grants a lease, once for all who want one of that class.
  private func make(_ seconds: Int64, _ slack: Int64, before deadline: Int64) throws(EtcdFailure) {
    let (grant, isMine) = making.withLock { making in
      if let grant = making[seconds] { return (grant, false) }
      let grant = Grant()
      making[seconds] = grant
      return (grant, true)
    }
    guard isMine else {
      let alarm = Alarm()
      grant.waiting.withLock { $0.append(alarm) }
      while true {
        if let result = grant.result.withLock({ $0 }) {
          _ = try result.get()
          return
        }
        guard HostClock.monotonic() < deadline else { throw .unavailable("etcd did not grant a lease in time") }
        alarm.sleep(until: min(deadline, HostClock.monotonic() + Self.second / 10))
      }
    }
    let sent = HostClock.monotonic()
    let result: Result<Made, EtcdFailure>
    do throws(EtcdFailure) {
      let lease = try gateway.grantLease(seconds: seconds, before: deadline)
      let made = Made(lease: lease, sent: sent, seconds: seconds, slack: slack)
      leases.withLock { $0[seconds] = made }
      result = .success(made)
    } catch {
      result = .failure(error)
    }
    _ = making.withLock { $0.removeValue(forKey: seconds) }
    grant.result.withLock { $0 = result }
    for alarm in grant.waiting.withLock({ $0 }) { alarm.ring() }
    _ = try result.get()
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
