internal import LeaseholdHost
import Synchronization

/// Follows the events of the service while a client has leases that are to be told of their loss.
final class Watcher: Sendable {
  private struct State {
    var leases: [String: Lease] = [:]
    var isRunning = false
    /// When there was one last, on CLOCK_MONOTONIC.
    var lastSeen = Int64(0)
    /// False where the service does not know a request for several, or an event that asks to yield.
    var (renewsSeveral, knowsYield) = (true, true)
    /// True when the service does not let its events be followed: no right to read, or too many followers.
    var isRefused = false
  }

  private static let askEvery = Duration.seconds(15)
  private static let linger = Duration.seconds(5)
  /// As many leases as the service renews in one request.
  private static let together = 1000
  private let state = Mutex(State())

  /// Lets a lease be told.
  ///
  /// One that is renewed is told by that, too: for it alone nothing is opened.
  func add(_ lease: Lease) {
    let begins = state.withLock { state in
      state.leases[lease.ref] = lease
      guard lease.keep != .renewal else { return false }
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
      if lease.keep != .renewal { state.lastSeen = HostClock.monotonic() }
    }
  }

  /// Renews a lease that is due, and those that soon are, in one request; `nil` where it is to be renewed alone.
  func renewTogether(_ lease: Lease, within patience: Duration) async -> Answer? {
    guard lease.asksForWholeTTL else { return nil }
    let all = state.withLock { $0.renewsSeveral ? Array($0.leases.values) : [] }
    var others: [Lease] = []
    for other in all where other !== lease && others.count < Self.together - 1 && other.joinsRenewal() {
      others.append(other)
    }
    guard !others.isEmpty else { return nil }
    let request = Request("POST", ["leases", "renew"], json: ["leases": .texts(([lease] + others).map(\.id))])
    let answer: Answer? = try? await lease.client.ask(request.within(patience))
    if let answer, [400, 404, 405].contains(answer.status) { state.withLock { $0.renewsSeveral = false } }
    let parts = answer?.parts ?? [:]
    for other in others { other.endJoinedRenewal(parts[other.id]) }
    return parts[lease.id]
  }

  private func isWanted(orEnds: Bool = false) -> Bool {
    state.withLock { state in
      let hasFollowers = state.leases.values.contains { $0.keep != .renewal }
      let isWanted = hasFollowers || HostClock.monotonic() - state.lastSeen < Self.linger.wholeNanoseconds
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
      let rest = state.withLock(\.isRefused) ? Self.askEvery : pause
      await TaskAlarm().sleep(until: HostClock.monotonic(after: rest))
      pause = min(pause * 2, .seconds(1))
    }
  }

  /// Tells leases of their ends; false where there are no events to be had.
  private func follow(_ client: LeaseholdClient) async -> Bool {
    // A release by another program with the id is none of these: each lease is asked for now and then.
    let ends: [LockEvent.Kind] = [.expired, .broken, .removed, .transferred]
    let kinds = state.withLock(\.knowsYield) ? ends + [.yield] : ends
    var events = client.events(kinds)
    events.tellsGaps = true
    var iterator = events.makeAsyncIterator()
    var isOpen = false
    do throws(ClientError) {
      while let event = try await iterator.next() {
        isOpen = true
        if event.kind == .gap {
          Task.detached { await self.askAll() }
        } else if let ref = event.ref, let lease = state.withLock({ $0.leases[ref] }) {
          if event.kind == .yield { lease.askToYield() } else { lease.lose(LeaseLost(lease.keys, event.json)) }
        }
      }
    } catch {
      // An older service, which asks no holder to yield.
      state.withLock { state in
        if error.status == 400 { state.knowsYield = false }
        state.isRefused = [401, 403, 429].contains(error.status)
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

extension Answer {
  /// Each lease's part of an answer to several, as the answer to a renewal of it alone.
  fileprivate var parts: [String: Answer] {
    var parts: [String: Answer] = [:]
    for one in json["renewed"].elements {
      parts[one["lease"].string ?? ""] = Answer(status: 200, json: one, sent: sent)
    }
    for one in json["lost"].elements {
      let status = one["code"].string == "no-such-lease" ? 404 : 410
      parts[one["lease"].string ?? ""] = Answer(status: status, json: one, sent: sent)
    }
    return parts
  }
}
