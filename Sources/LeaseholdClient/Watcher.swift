internal import LeaseholdHost
import Synchronization

/// Follows the events of the service while a client has leases that are to be told of their loss.
final class Watcher: Sendable {
  private struct State {
    var leases: [String: Lease] = [:]
    /// The number of those that are not renewed.
    var count = 0
    var isRunning = false
    /// When there was one last, on CLOCK_MONOTONIC.
    var lastSeen = Int64(0)
  }

  private static let askEvery = Duration.seconds(15)
  private static let linger = Duration.seconds(5)
  private let state = Mutex(State())

  /// Lets a lease be told.
  ///
  /// One that is renewed is told by that, too: for it alone nothing is opened.
  func add(_ lease: Lease) {
    let begins = state.withLock { state in
      state.leases[lease.ref] = lease
      guard lease.keep != .renewal else { return false }
      state.count += 1
      defer { state.isRunning = true }
      return !state.isRunning
    }
    let client = lease.client
    if begins { Task.detached { await self.run(client) } }
  }

  /// Forgets a lease that is over.
  func remove(_ lease: Lease) {
    state.withLock { state in
      guard state.leases[lease.ref] === lease else { return }
      state.leases[lease.ref] = nil
      guard lease.keep != .renewal else { return }
      state.count -= 1
      state.lastSeen = HostClock.monotonic()
    }
  }

  private func isWanted(orEnds: Bool = false) -> Bool {
    state.withLock { state in
      let isWanted = state.count > 0 || HostClock.monotonic() - state.lastSeen < Self.linger.wholeNanoseconds
      if orEnds { state.isRunning = isWanted }
      return isWanted
    }
  }

  private func run(_ client: LeaseholdClient) async {
    var pause = Duration.milliseconds(50)
    while isWanted(orEnds: true) {
      let wasOpen = await withTaskGroup(of: Bool.self) { group in
        group.addTask { await self.follow(client) }
        group.addTask { await self.askNowAndThen() }
        let first = await group.next() ?? false
        group.cancelAll()
        return first
      }
      if wasOpen { pause = .milliseconds(50) } else { await askAll() }
      await TaskAlarm().sleep(until: HostClock.monotonic(after: pause))
      pause = min(pause * 2, .seconds(1))
    }
  }

  /// Tells leases of their ends; false where there are no events to be had.
  private func follow(_ client: LeaseholdClient) async -> Bool {
    // A release by another program with the id is none of these: each lease is asked for now and then.
    let events = client.events([.expired, .broken, .removed, .transferred], tellsGaps: true)
    var iterator = events.makeAsyncIterator()
    var isOpen = false
    while let event: LockEvent = (try? await iterator.next()) ?? nil {
      isOpen = true
      if event.kind == .gap {
        Task.detached { await self.askAll() }
      } else if let ref = event.ref, let lease = state.withLock({ $0.leases[ref] }) {
        lease.lose(LeaseLost(lease.keys, event.json))
      }
    }
    return isOpen
  }

  /// Asks for each lease; returns when no lease wants events any more.
  private func askNowAndThen() async -> Bool {
    var next = HostClock.monotonic(after: Self.askEvery)
    while isWanted(), !Task.isCancelled {
      await TaskAlarm().sleep(until: min(next, HostClock.monotonic(after: Self.linger)))
      guard HostClock.monotonic() >= next, !Task.isCancelled else { continue }
      await askAll()
      next = HostClock.monotonic(after: Self.askEvery)
    }
    return true
  }

  private func askAll() async {
    for lease in state.withLock({ Array($0.leases.values) }) where lease.keep != .renewal { await lease.confirm() }
  }
}
