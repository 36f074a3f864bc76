import Glibc
import Leasehold
import LeaseholdHost
import Synchronization

/// A request that waits until a lock is not what its caller knows it to be.
///
/// Life cycle: made with the exchange; woken by the lock's next change, by an inspection now and then, or by its
/// deadline, all on the thread of ``LongPolls``; over when it answered or its peer hung up.
final class LongPoll: LockWatcher, PendingRequest {
  private let request: ParkedRequest
  private let name: LockName
  private let listed: Int
  private let tags: [String]
  private let place: Mutex<CallerClaim?>
  private let watch = Mutex<WatchID?>(nil)
  private let isOver = Atomic(false)

  init(
    _ exchange: Exchange, server: Server, _ name: LockName, listed: Int, tags: [String], place: CallerClaim?
  ) {
    request = ParkedRequest(exchange, server: server, asText: false)
    self.name = name
    self.listed = listed
    self.tags = tags
    self.place = Mutex(place)
  }

  private var exchange: Exchange { request.exchange }
  private var server: Server { request.server }

  /// Waits, or answers at once when the lock has changed already.
  func begin(until deadline: MonotonicInstant) throws(LeaseholdError) -> Disposition {
    exchange.context.pending = self
    do throws(LeaseholdError) {
      try server.longPolls.add(self, until: deadline)
      switch try server.engine.watches.watch(name, listed: listed, unless: tags, watcher: self) {
      case .changed(let lock):
        hungUp()
        exchange.context.pending = nil
        let writer = server.writer(at: Server.now())
        return exchange.respond(writer.state(lock.seen(by: exchange.context.token), isKnown: false))
      case .watching(let id):
        watch.withLock { $0 = id }
        // It may be over by now, and then no other call would end the watch.
        if isOver.load(ordering: .sequentiallyConsistent) { stopWatching() }
        return .pending
      }
    } catch {
      hungUp()
      exchange.context.pending = nil
      throw error
    }
  }

  func lockChanged() { server.longPolls.changed(self) }

  func completed(delivered: Bool) { hungUp() }

  /// The peer is gone, or has its answer.
  func hungUp() {
    isOver.store(true, ordering: .sequentiallyConsistent)
    server.longPolls.remove(self)
    place.withLock { $0 = nil }
    stopWatching()
  }

  private func stopWatching() {
    if let id = watch.withLock({ $0.take() }) { server.engine.watches.unwatch(id) }
  }

  /// Inspects the lock and answers when it changed, or in any case when the time is up.
  func inspect(isLast: Bool) { server.run { [self] in inspectNow(isLast: isLast) } }

  private func inspectNow(isLast: Bool) {
    guard !isOver.load(ordering: .sequentiallyConsistent) else { return }
    let writer = server.writer(at: Server.now())
    do {
      let lock = try server.engine.locks.lock(name, listed: listed)
      let isKnown = tags == ["*"] ? !isLast && !wasTold : tags.contains(lock.tag.text)
      if isKnown, !isLast { return }
      hungUp()
      request.answer(
        writer.state(lock.seen(by: exchange.context.token), isKnown: tags == ["*"] ? !wasTold : isKnown))
    } catch {
      hungUp()
      request.refuse(error)
    }
  }

  /// True when the ledger told of a change: the only sign where any tag will do.
  private var wasTold: Bool { told.load(ordering: .relaxed) }
  private let told = Atomic(false)

  /// The ledger told of a change.
  func tellAndInspect() {
    told.store(true, ordering: .relaxed)
    inspect(isLast: false)
  }
}

/// The requests that wait for a lock to change, and the thread that answers them, which runs while there are any.
final class LongPolls: Sendable {
  /// Nanoseconds between turns: changes that come together are answered together.
  private static let turnInterval: Int64 = 10_000_000
  /// Turns between inspections of what native programs do: about a second.
  private static let turnsPerSweep = 100
  /// Locks inspected in one sweep.
  private static let inspectionsPerSweep = 500

  private struct State {
    var waiting: [ObjectIdentifier: (poll: LongPoll, deadline: MonotonicInstant)] = [:]
    var changed: [LongPoll] = []
    var unswept: [LongPoll] = []
    var isRunning = false
  }

  private let state = Mutex(State())

  /// The number of its waiters.
  var count: Int { state.withLock { $0.waiting.count } }

  func add(_ poll: LongPoll, until deadline: MonotonicInstant) throws(LeaseholdError) {
    let mustStart = state.withLock { state in
      state.waiting[ObjectIdentifier(poll)] = (poll, deadline)
      defer { state.isRunning = true }
      return !state.isRunning
    }
    guard mustStart, HostThread(named: "lh-polls", stackBytes: HostThread.requestStackBytes, { [self] in run() }) == nil
    else { return }
    state.withLock { state in
      state.isRunning = false
      state.waiting[ObjectIdentifier(poll)] = nil
    }
    throw .cannotWait("pthread_create", EAGAIN)
  }

  func remove(_ poll: LongPoll) { state.withLock { _ = $0.waiting.removeValue(forKey: ObjectIdentifier(poll)) } }

  func changed(_ poll: LongPoll) { state.withLock { $0.changed.append(poll) } }

  private func run() {
    var turn = 0
    while true {
      turn += 1
      let now = Server.now()
      let isTimeToSweep = turn % Self.turnsPerSweep == 0
      let checksDeadlines = turn % 5 == 0
      let (changed, late, sweep, ends) = state.withLock { state -> ([LongPoll], [LongPoll], [LongPoll], Bool) in
        defer { state.changed = [] }
        let late = checksDeadlines ? state.waiting.values.filter { $0.deadline <= now }.map(\.poll) : []
        if isTimeToSweep, state.unswept.isEmpty { state.unswept = state.waiting.values.map(\.poll) }
        let sweep = isTimeToSweep ? Array(state.unswept.suffix(Self.inspectionsPerSweep)) : []
        state.unswept.removeLast(sweep.count)
        if state.waiting.isEmpty, state.changed.isEmpty { state.isRunning = false }
        return (state.changed, late, sweep, !state.isRunning)
      }
      for poll in changed { poll.tellAndInspect() }
      for poll in late { poll.inspect(isLast: true) }
      for poll in sweep { poll.inspect(isLast: false) }
      if ends { return }
      HostClock.sleep(nanoseconds: Self.turnInterval)
    }
  }
}

extension AnswerWriter {
  /// The state of a lock with its ETag: 200, or 304 to a caller that knows it.
  func state(_ lock: LockSnapshot, isKnown: Bool) -> Response {
    var body = ResponseBuffer(capacity: isKnown ? 0 : 1024)
    if !isKnown {
      self.lock(lock, into: &body)
      body.closeAnswer()
    }
    var response = Response(status: isKnown ? 304 : 200, contentType: isKnown ? "" : "application/json", body: body)
    response.add("ETag", "W/\"\(lock.tag.text)\"")
    return response
  }
}
