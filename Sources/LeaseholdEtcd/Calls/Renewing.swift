public import Leasehold
internal import LeaseholdHost
import Synchronization

/// Leases that are renewed together, by several threads.
private final class Batch: Sendable {
  private struct State {
    var next = 0
    var open: Int
    var results: [Result<LeaseSnapshot, LeaseholdError>?]
  }

  private let state: Mutex<State>
  private let isOver = Alarm()
  let leases: [LeaseID]

  init(_ leases: [LeaseID]) {
    self.leases = leases
    state = Mutex(State(open: leases.count, results: Array(repeating: nil, count: leases.count)))
  }

  /// Renews as long as there are some that nobody has begun with.
  func work(_ renew: (LeaseID) -> Result<LeaseSnapshot, LeaseholdError>) {
    while true {
      let index = state.withLock { state -> Int? in
        guard state.next < leases.count else { return nil }
        defer { state.next += 1 }
        return state.next
      }
      guard let index else { return }
      let result = renew(leases[index])
      let isLast = state.withLock { state in
        state.results[index] = result
        state.open -= 1
        return state.open == 0
      }
      if isLast { isOver.ring() }
    }
  }

  /// Waits for all; each has a deadline of its own.
  func results() -> [Result<LeaseSnapshot, LeaseholdError>] {
    while true {
      let results = state.withLock { $0.open == 0 ? $0.results.compactMap(\.self) : nil }
      if let results { return results }
      isOver.sleep(until: HostClock.monotonic(after: .seconds(1)))
    }
  }
}

extension EtcdLockService {
  /// The threads that renew the leases of one request.
  private static let renewersMax = 16

  /// Renews many at a time: each is a transaction of its own.
  public func renew(
    _ leases: [LeaseID], ttl: TimeSpan?, within confinement: Confinement?, at now: MonotonicInstant
  ) -> [Result<LeaseSnapshot, LeaseholdError>] {
    let batch = Batch(leases)
    let one = { @Sendable [self] (lease: LeaseID) -> Result<LeaseSnapshot, LeaseholdError> in
      Result { () throws(LeaseholdError) in try renew(lease, on: nil, ttl: ttl, within: confinement, at: now) }
    }
    for _ in 1..<max(1, min(leases.count, Self.renewersMax)) where !run({ batch.work(one) }) { break }
    batch.work(one)
    return batch.results()
  }
}
