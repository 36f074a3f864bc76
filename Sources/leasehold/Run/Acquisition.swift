internal import Glibc
internal import LeaseholdClient
internal import LeaseholdHost

/// Takes one lock or several, and waits as long as was asked for.
struct Acquisition {
  let endpoint: ServiceEndpoint
  let wants: [Want]
  var options: LeaseOptions
  /// `nil` waits without end.
  let patience: Duration?
  /// True when nothing is said of the waiting.
  var isQuiet = false
  /// True when it is told how long it took.
  var isVerbose = false
  /// The service that is started again when it goes away.
  var own: OwnService?
  /// Told of each request before it is made.
  var guardian: Guardian?
  /// When the request was sent first and last, by CLOCK_MONOTONIC; with another key it is another request.
  private(set) var sent: (key: String, first: Int64, last: Int64) = ("", 0, 0)

  private var keys: [String] { wants.map(\.key) }

  /// Asks until there is a lease, or the time is up.
  ///
  /// A service waits for an hour at most: then it is asked again, and the place in the queue is a new one. A service
  /// that goes away while we wait is asked again for a while, with the same Idempotency-Key.
  ///
  /// Below a `leasehold run` the service is told what that one holds, so that it refuses to let us wait for ourselves.
  mutating func lease() throws(ClientError) -> Grant {
    options.holding = Enclosing.current.held(at: endpoint)
    if !options.holding.isEmpty, patience != .zero { tellOfOwnUnits() }
    let start = HostClock.monotonic()
    let end = patience.map { HostClock.monotonic(after: $0) }
    // The longest wait that a service allows at once, if it says nothing else.
    var atOnce = Duration.seconds(3600)
    var idempotencyKey = LeaseholdClient.randomKey()
    var missingSince: Int64?
    while true {
      let left = end.map { Duration.nanoseconds(max(0, $0 - HostClock.monotonic())) }
      let wait = min(left ?? atOnce, atOnce)
      do {
        let lease = try ask(wait: wait, idempotencyKey: idempotencyKey)
        if isVerbose { Self.tell(keys, since: start) }
        return lease
      } catch .problem(let problem) where problem.code == "out-of-range" && isAboutWaiting(problem) {
        atOnce = .milliseconds(problem.members["maximum_ms"].int ?? 1000)
        idempotencyKey = LeaseholdClient.randomKey()
      } catch .problem(let problem) where problem.code == "wait-timeout" {
        if let end, HostClock.monotonic() >= end { throw .problem(problem) }
        idempotencyKey = LeaseholdClient.randomKey()
      } catch .problem(let problem) where isAboutHolding(problem) {
        // One of them has ended just now.
        let held = Enclosing.current.held(at: endpoint)
        options.holding = held.count < options.holding.count ? held : []
        idempotencyKey = LeaseholdClient.randomKey()
      } catch .problem(let problem) where keys.count > 1 && (problem.status == 405 || problem.status == 404) {
        let detail = "This service cannot take several locks at once: it is older than this program."
        throw .problem(Problem(status: 501, body: Array("{\"code\":\"not-served\",\"detail\":\"\(detail)\"}".utf8)))
      } catch {
        let isPatient = wait > .zero || own != nil
        guard isPatient, shouldAskAgain(error, missingSince: &missingSince) else { throw error }
        // One's own may have begun to end, having been idle, and is started again at once.
        poll(nil, 0, own == nil ? 200 : 2)
      }
    }
  }

  /// Says how long it took to get the locks.
  static func tell(_ keys: [String], since start: Int64) {
    let milliseconds = (HostClock.monotonic() - start) / 1_000_000
    let names = keys.map { "'\($0)'" }.joined(separator: ", ")
    Output.complain("got \(names) after \(milliseconds / 1000).\("\(milliseconds % 1000 + 1000)".dropFirst()) s")
  }

  private func isAboutWaiting(_ problem: Problem) -> Bool {
    problem.members["parameter"].string == "wait" && (problem.members["maximum_ms"].int ?? 0) > 0
  }

  /// Says that a wait may never end, where the service cannot know.
  private func tellOfOwnUnits() {
    for key in keys {
      let request = Request("GET", ["locks", key]).within(.seconds(5))
      guard let lock = try? LeaseholdConnection(endpoint).send(request).json, Enclosing.current.mayKeepAll(of: lock)
      else { continue }
      Output.complain(
        "waiting for '\(key)', of which a `leasehold run` above this holds a unit: if there is no other, this never "
          + "ends")
    }
  }

  private func isAboutHolding(_ problem: Problem) -> Bool {
    !options.holding.isEmpty && (problem.status == 410 || problem.code == "no-such-lease")
  }

  /// Returns true when a service that was there is only away for a moment: it is given ten seconds.
  private func shouldAskAgain(_ error: ClientError, missingSince: inout Int64?) -> Bool {
    switch error {
    case .unreachable(_, let reason):
      // Nothing there from the start is an error at once.
      if let own {
        guard (try? own.start()) != nil else { return false }
      } else if missingSince == nil, !reason.contains("reset") {
        return false
      }
    case .problem(let problem) where problem.isTemporary: break
    default: return false
    }
    let since = missingSince ?? HostClock.monotonic()
    missingSince = since
    return HostClock.monotonic() - since < 10_000_000_000
  }

  private mutating func ask(wait: Duration, idempotencyKey: String) throws(ClientError) -> Grant {
    // Only a request that waits is told that it would wait for itself.
    let wait = options.holding.isEmpty ? wait : max(wait, .milliseconds(1))
    let request = request(wait: wait, idempotencyKey: idempotencyKey)
    // The guardian asks in our place and must not wait; but a waiter's place goes only to a request that waits.
    guardian?.asks(self.request(wait: min(wait, .milliseconds(1)), idempotencyKey: idempotencyKey))
    let connection = LeaseholdConnection(endpoint)
    sent.last = HostClock.monotonic()
    if sent.key != idempotencyKey { (sent.key, sent.first) = (idempotencyKey, sent.last) }
    return try WaitWatch.during(connection, isNeeded: wait > .zero, key: wants[0].key, quiet: isQuiet) {
      _ throws(ClientError) in
      try connection.send(request).grant()
    }
  }

  /// The request that is sent.
  func request(wait: Duration, idempotencyKey: String) -> Request {
    var options = options
    options.wait = wait
    return options.request(for: wants).within(wait + .seconds(5)).keyed(idempotencyKey)
  }
}

extension LockOptions {
  /// A lock as these options want it.
  func want(_ key: String) -> Want {
    var want = Want(key, mode: shared ? .shared : .exclusive, slots: limit, count: count)
    if limit == nil { want.names = slots?.split(separator: ",").map(String.init) ?? [] }
    want.slot = slot?.split(separator: ",").map(String.init) ?? []
    return want
  }

  /// One lock or several, taken as these options say.
  func acquisition(_ endpoint: ServiceEndpoint, _ keys: [String], _ options: LeaseOptions) throws -> Acquisition {
    Acquisition(
      endpoint: endpoint, wants: keys.map(want), options: options, patience: try waiting(), isQuiet: quiet,
      isVerbose: verbose, own: OwnService(at: endpoint, mayStart: !noStart))
  }
}
