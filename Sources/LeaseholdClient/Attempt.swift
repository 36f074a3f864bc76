internal import LeaseholdHost
import Synchronization

/// One acquire on its way: its key, its patience, and whether the service may know of it.
struct Attempt {
  /// A request that waits for longer is asked again: it keeps its place, and a proxy that went silent is noticed.
  private static let askAgain = Duration.seconds(20)
  private static let streamWaitMax = Duration.seconds(600)

  let client: LeaseholdClient
  let wish: Wish
  let way: Keep
  /// On the client's clock; `.max` is without end.
  let until: Int64
  let holding: Holding
  private let pending = Flag()
  private var key = LeaseholdClient.randomKey()
  private(set) var begun: Int64
  private var failures = Failures()

  init(_ client: LeaseholdClient, _ wish: Wish, until: Int64, holding: Holding) {
    (self.client, self.wish, self.until, self.holding) = (client, wish, until, holding)
    way = wish.way(client)
    begun = client.endpoint.now()
  }

  /// True where the service cannot see this process, knows of a proxy between, or has an engine that binds to none.
  func cannotBind(_ error: ClientError) -> Bool {
    guard wish.keep == .auto, way == .process, let problem = error.problem else { return false }
    return problem.code == "no-such-process" || problem.code == "not-supported"
      || (problem.status == 400 && problem.members["parameter"].string == "bind")
  }

  /// Asks until there is an answer; what is interrupted is taken back.
  mutating func lease() async throws(ClientError) -> Lease {
    do throws(ClientError) {
      return try await granted()
    } catch {
      guard pending.isRaised, way != .stream else { throw error }
      let request = wish.request(way, wait: .milliseconds(1), holding: holding.ids).keyed(key)
      let (client, key) = (client, key)
      let undoing = Task.detached { await client.takeBack(key, request) }
      // A caller that cancels finds nothing left; one that waited for an answer in vain need not wait for another.
      if Task.isCancelled { await undoing.value }
      throw error
    }
  }

  private mutating func granted() async throws(ClientError) -> Lease {
    while true {
      let wait = min(left, .nanoseconds(client.waitMax.load(ordering: .relaxed)))
      do throws(ClientError) {
        let (answer, stream) = way == .stream ? try await held(wait) : (try await asked(wait), nil)
        if let problem = answer.problem {
          pending.lower()
          try renew(after: problem)
          continue
        }
        guard let grant = Grant(json: answer.json) else { throw .malformed("an answer without a lease") }
        let lease = Lease(grant, answer, self, stream)
        guard Task.isCancelled else { return lease }
        pending.lower()
        await lease.release()
        throw .canceled
      } catch {
        var error = error
        if case .timedOut = error, way != .stream, wait > Self.askAgain {
          // No answer because the lock was not free yet is no failure.
          do throws(ClientError) {
            try await client.findAlive()
            continue
          } catch let failure {
            error = failure
          }
        }
        try await failures.pause(client, after: error)
      }
    }
  }

  private var left: Duration { until == .max ? .seconds(86400) : .nanoseconds(max(0, until - client.endpoint.now())) }

  private func asked(_ wait: Duration) async throws(ClientError) -> Answer {
    let request = wish.request(way, wait: wait, holding: holding.ids).keyed(key)
    let patience = wait > Self.askAgain ? Self.askAgain : wait + client.timeout
    return try await client.ask(request.within(patience), isFresh: pending.isRaised, pending: pending)
  }

  /// Opens a stream that may be long in coming, as long as the service is there.
  private func held(_ wait: Duration) async throws(ClientError) -> (Answer, LineStream?) {
    typealias Held = Result<(Answer, LineStream?), ClientError>
    let wait = min(wait, Self.streamWaitMax)
    let asked = wish.request(way, wait: wait, holding: holding.ids).within(wait + client.timeout)
    let client = client
    return try await withTaskGroup(of: Held?.self) { group -> Held in
      group.addTask { await Held { () async throws(ClientError) in try await client.hold(asked) } }
      group.addTask {
        while true {
          await TaskAlarm().sleep(until: HostClock.monotonic(after: Self.askAgain))
          if Task.isCancelled { return nil }
          do throws(ClientError) { try await client.findAlive() } catch { return .failure(error) }
        }
      }
      var held: Held?
      for await result in group {
        group.cancelAll()
        // One that was opened in the last moment counts.
        if case .success? = result { held = result } else if held == nil { held = result }
      }
      return held ?? .failure(.canceled)
    }.get()
  }

  /// Makes the wish a new request where a refusal asks for that; every other is the error.
  private mutating func renew(after problem: Problem) throws(ClientError) {
    let waitMax = (problem.members["maximum_ms"].int ?? 0) * 1_000_000
    if problem.status == 400, problem.members["parameter"].string == "wait", waitMax > 0,
      waitMax < client.waitMax.load(ordering: .relaxed)
    {
      client.waitMax.store(waitMax, ordering: .relaxed)
    } else if (problem.code == "wait-timeout" && left > .zero) || problem.code == "undelivered" {
      (key, begun) = (LeaseholdClient.randomKey(), client.endpoint.now())
    } else if problem.status == 423, holding.areAll(problem.holders) {
      throw .problem(Problem(status: problem.status, members: problem.members, code: "already-held"))
    } else if problem.code == "locked", wish.waits {
      throw .problem(Problem(status: problem.status, members: problem.members, code: "wait-timeout"))
    } else if problem.isGone {
      throw .leaseLost(LeaseLost(wish.keys, problem.members, problem: problem))
    } else {
      throw .problem(problem)
    }
  }
}

/// The time for which one acquire has not reached the service (rule 4).
private struct Failures {
  /// A service that was never there is not waited for as long as one that was.
  private static let neverReached = Int64(1_000_000_000)
  static let pauseFirst = Int64(50_000_000)
  static let pauseMax = Int64(500_000_000)

  private var since: Int64?
  private var last = Int64(0)
  private var pause = pauseFirst

  /// Waits before the next try; throws the error when there is none.
  mutating func pause(_ client: LeaseholdClient, after error: ClientError) async throws(ClientError) {
    switch error {
    case .unreachable where error.kind != .denied: break
    case .problem(let problem) where problem.status == 503: break
    default: throw error
    }
    let now = HostClock.monotonic()
    // A waiter that stood in the queue until it broke begins to count now.
    if since == nil || now - last > 2 * Self.pauseMax { (since, pause) = (now, Self.pauseFirst) }
    last = now
    let timeout = client.timeout.wholeNanoseconds
    let patience = client.isReached.load(ordering: .relaxed) ? timeout : min(timeout, Self.neverReached)
    guard now - (since ?? now) + pause <= patience else { throw error }
    await TaskAlarm().sleep(until: now + pause)
    if Task.isCancelled { throw .canceled }
    pause = min(2 * pause, Self.pauseMax)
  }
}

extension LeaseholdClient {
  /// Opens a stream that keeps a lease; its first line is the lease.
  func hold(_ request: Request) async throws(ClientError) -> (Answer, LineStream?) {
    let (answer, stream) = try await open(request)
    guard let stream else { return (answer, nil) }
    guard let line = try await stream.next(within: timeout) else {
      throw .unreachable(endpoint.address, reason: "the answer ended before its first line")
    }
    return (Answer(status: answer.status, json: JSON(Array(line.utf8)) ?? .null, sent: answer.sent), stream)
  }
}

extension Result {
  init(_ body: () async throws(Failure) -> Success) async {
    do throws(Failure) { self = .success(try await body()) } catch { self = .failure(error) }
  }
}
