internal import LeaseholdHost

// Leases that no caller holds any more are given back again and again, until the service has heard it.
extension LeaseholdClient {
  /// A release is not cut short by what cuts the caller short, but it does not hold it up for long either (rule 28).
  private static let patience = Duration.seconds(2)
  /// A connection that went silent is left soon; to ask twice costs nothing.
  private static let firstPatience = Duration.milliseconds(500)

  /// Releases a lease: tells the service for two seconds, and then goes on beside the caller until `deadline`.
  ///
  /// - Parameters:
  ///   - early: Frees what is kept beyond the lease.
  ///   - deadline: On the client's clock.
  /// - Returns: The answer, when it came in that time.
  func giveBack(_ id: String, early: Bool = false, until deadline: Int64) async -> Answer? {
    let request = Request("DELETE", ["leases", id], query: early ? [("early", "true")] : [])
    return await Task.detached {
      let end = HostClock.monotonic(after: Self.patience)
      var answer = await self.release(request, within: Self.firstPatience, isFresh: false)
      var pause = Int64(50_000_000)
      while answer == nil, HostClock.monotonic() + pause < end {
        await TaskAlarm().sleep(until: HostClock.monotonic() + pause)
        answer = await self.release(request, within: .nanoseconds(end - HostClock.monotonic()), isFresh: true)
        pause = min(2 * pause, 500_000_000)
      }
      if answer == nil {
        Task.detached {
          await self.insist(until: deadline) {
            await self.release(request, within: Self.patience, isFresh: true) != nil
          }
        }
      }
      return answer
    }.value
  }

  /// Takes back an acquire whose answer is not known: what it got, or its place in the queue (rule 11).
  ///
  /// - Parameter request: The same acquire with hardly a wait, for a service that knows no other way.
  func takeBack(_ key: String, _ request: Request) async {
    if await !tryToTakeBack(key, request) {
      Task.detached { await self.insist(until: .max) { await self.tryToTakeBack(key, request) } }
    }
  }

  private func tryToTakeBack(_ key: String, _ request: Request) async -> Bool {
    let cancel = Request("DELETE", ["leases"]).keyed(key).within(Self.patience)
    guard let answer: Answer = try? await ask(cancel) else { return false }
    guard [400, 404, 405].contains(answer.status) else { return answer.status < 300 }
    guard await replay(request) else { return false }
    // An older service. Once more for a request that was overtaken by this one.
    Task.detached {
      await TaskAlarm().sleep(until: HostClock.monotonic(after: .milliseconds(250)))
      if await !self.replay(request) { await self.insist(until: .max) { await self.replay(request) } }
    }
    return true
  }

  /// Sends the same request once more: it takes the place over and leaves, or tells the lease.
  private func replay(_ request: Request) async -> Bool {
    guard let answer: Answer = try? await ask(request.within(Self.patience)) else { return false }
    if answer.status < 300, let grant = Grant(json: answer.json) { return await giveBack(grant.id, until: .max) != nil }
    return answer.status < 500 && answer.status != 429
  }

  private func release(_ request: Request, within patience: Duration, isFresh: Bool) async -> Answer? {
    guard let answer: Answer = try? await ask(request.within(patience), isFresh: isFresh) else { return nil }
    return answer.status < 400 || answer.isGone ? answer : nil
  }

  private func insist(until deadline: Int64, _ once: @Sendable () async -> Bool) async {
    var pause = Duration.milliseconds(500)
    while endpoint.now() < deadline {
      await TaskAlarm().sleep(until: HostClock.monotonic(after: pause))
      if await once() { return }
      pause = min(pause * 2, Self.patience)
    }
  }
}
