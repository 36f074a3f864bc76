internal import EtcdGateway
internal import Leasehold
internal import LeaseholdHost
internal import LeaseholdQueue
import Synchronization

// Calls that take a place in a queue: what they need next is the queue's to say, doing it is done here.
extension EtcdLockService {
  /// Begins a call, and goes on with it until it is granted, refused, or waits: of that the client hears.
  func begin(_ wanted: Call.Wanted, _ client: () -> any LeaseClient, at now: MonotonicInstant) -> AcquireOutcome {
    let call: Call
    do throws(LeaseholdError) { call = try enter(wanted, client, at: now) } catch { return .refused(error) }
    do throws(LeaseholdError) {
      switch wanted {
      case .lease(let request, let id): return try take(Attempt(wish(request, id)), call)
      case .mode(let request): return try convert(request, call)
      }
    } catch {
      return refused(call, error)
    }
  }

  /// Puts a call into the table: the thread that takes it out again answers it.
  private func enter(
    _ wanted: Call.Wanted, _ client: () -> any LeaseClient, at now: MonotonicInstant
  ) throws(LeaseholdError) -> Call {
    switch wanted {
    case .lease(let request, _): try check(request)
    case .mode(let request): try checkPlain(request.lock)
    }
    let (client, limit) = (client(), configuration.limits.waiters)
    return try state.withLock { state throws(LeaseholdError) in
      guard !state.isDraining else { throw .draining() }
      if case .lease(let request, _) = wanted, let key = request.callersKey, state.canceled.contains(key) {
        throw .canceled()
      }
      guard state.calls.count < limit else { throw .tooManyWaiters(limit) }
      let call = Call(wanted, client, at: now)
      state.calls[call.number] = call
      return call
    }
  }

  /// Takes a place.
  func take(_ place: consuming any QueueCall, _ call: Call) throws(LeaseholdError) -> AcquireOutcome {
    var place = place
    var sight = Sight([])
    var sending: Set<String> = []
    defer {
      state.withLock { state in
        for name in sending { state.sending[name] = state.sending[name].flatMap { $0 > 1 ? $0 - 1 : nil } }
      }
    }
    let (deadline, retry) = (Self.deadline(), call.request.flatMap(Self.hash(of:)))
    var session: Int64 = 0
    while true {
      switch place.step {
      case .look:
        sight = state.withLock { state in Sight(place.locks.map { state.queue($0) }) }
        place.decide(sight.queues, retried: nil)
      case .read:
        sight = try look(place.locks, retry: retry, before: deadline)
        place.decide(sight.queues, retried: sight.retried)
      case .send(let transaction):
        guard HostClock.monotonic() < deadline else { throw .busyQueue(call.keys[0]) }
        session = try self.session(for: transaction)
        if transaction.needsSession, sending.insert(place.name).inserted {
          state.withLock { $0.sending[place.name, default: 0] += 1 }
          // It is going to wait: a watch that begins before its place is written has nothing to catch up with.
          hurryUp()
        }
        let outcome = try send(transaction, session, before: deadline) { () -> Void in
          place.receive(.unknown, session: session)
          leave(place)
        }
        if case .kept(let seen) = outcome, !seen.queues.isEmpty {
          sight = seen
          note(seen)
        }
        place.receive(outcome, session: session)
      case .wait:
        if let circle = waitsForItself(call) {
          place.giveUp(.deadlock)
          leave(place)
          throw circle
        }
        return wait(call, place, session)
      case .answer(let grant): return deliver(grant, of: place, to: call)
      case .end(let ending): throw refusal(ending, of: place, call, sight.queues)
      }
    }
  }

  /// Tells the client of a call that waited.
  func tell(_ call: Call, _ outcome: AcquireOutcome) {
    switch outcome {
    case .granted(let lease): call.client.granted(lease)
    case .refused(let error): call.client.refused(error)
    case .waiting: break
    }
  }

  /// Tells a call that waited that it has got nothing.
  func refuse(_ call: Call, _ error: LeaseholdError) { tell(call, refused(call, error)) }

  /// A call has got nothing.
  ///
  /// - Returns: The refusal; `waiting` where another thread answers the call.
  func refused(_ call: Call, _ error: LeaseholdError) -> AcquireOutcome {
    state.withLock { state in
      guard state.calls.removeValue(forKey: call.number) != nil else { return .waiting(call.number, behind: nil) }
      switch error.code {
      case .locked: state.counters.busy += 1
      case .waitTimeout: state.counters.timedOut += 1
      case .deadlock: state.counters.deadlocks += 1
      default: state.counters.refused += 1
      }
      return .refused(error)
    }
  }

  /// The words of an end.
  ///
  /// - Parameter queues: What was seen of the locks last, in the order of the call's.
  func refusal(
    _ ending: Attempt.Ending, of place: any QueueCall, _ call: Call, _ queues: [LockQueue]
  ) -> LeaseholdError {
    switch ending {
    case .refused: busy(call, queues, .locked)
    case .queueFull: busy(call, queues, .queueFull)
    case .otherKind(let kind): mismatch(call, queues, kind)
    case .superseded: .superseded()
    case .mismatch: .idempotencyMismatch()
    case .deadlock: .upgradeDeadlock(call.keys[0])
    case .unknown: .engine(.unknown("the queue does not show it"))
    case .lost, .ended: explain(place, call, hasEnded: ending == .ended)
    case .granted, .withdrawn: .placeLost()
    }
  }

  /// That a lock is not to be had now.
  func busy(_ call: Call, _ queues: [LockQueue], _ code: LeaseholdError.Code) -> LeaseholdError {
    guard queues.count == call.keys.count else { return .placeLost() }
    let parts = call.wants.map { Self.part($0) }
    let index = parts.indices.first { !queues[$0].hasRoom(for: parts[$0].units, as: parts[$0].kind) } ?? 0
    let shown = state.withLock { $0.shown(call.keys[index], queues[index], listed: 10) }
    let what = shown.holderCount > 0 ? "is held" : "is queued for"
    return .contended(
      code, shown,
      code == .locked
        ? "\(what); ask with wait=10s to queue for it, or try again later"
        : "\(what), and \(shown.waiterCount) wait already; try again later")
  }

  private func mismatch(_ call: Call, _ queues: [LockQueue], _ kind: QueueKind) -> LeaseholdError {
    guard !call.wants.isEmpty else { return .notConvertible(call.keys[0]) }
    let asked = call.wants.map { QueueKind(limit: $0.limit) }
    let index = asked.indices.first { asked[$0] != kind && $0 < queues.count && queues[$0].kind == kind } ?? 0
    return .mismatch(call.keys[index], kind.lockKind, asked[index].lockKind)
  }

  /// Finds out how a place was lost.
  private func explain(_ place: any QueueCall, _ call: Call, hasEnded: Bool) -> LeaseholdError {
    let sight: Sight
    do throws(LeaseholdError) {
      sight = try look([.key(.end(place.name))], before: Self.deadline())
    } catch {
      return error
    }
    let ref = (place as? Attempt)?.wish.value.ref ?? ""
    if let end = sight.end { return .over(end, key: call.keys[0], ref: end.ref.isEmpty ? ref : end.ref) }
    return hasEnded ? .over(.expired, nil, key: call.keys[0], ref: ref, at: nil) : .placeLost()
  }

  // MARK: Asking etcd

  /// The session that a transaction needs; 0 where it needs none.
  func session(for transaction: QueueTransaction) throws(LeaseholdError) -> Int64 {
    let known = state.withLock { $0.session?.lease }
    if let known { return known }
    guard transaction.needsSession else { return 0 }
    return try told(openSession(before: Self.deadline()))
  }

  /// Sends a transaction.
  ///
  /// - Parameter unknown: Called before `outcome-unknown` is thrown.
  /// - Throws: `engine-unavailable`, `outcome-unknown`.
  func send(
    _ transaction: QueueTransaction, _ session: Int64, before deadline: Int64, unknown: () -> Void = {}
  ) throws(LeaseholdError) -> QueueOutcome {
    do throws(EtcdFailure) {
      let outcome = try store.send(transaction, session: session, before: deadline)
      if case .sessionGone = outcome { loseSession(session) }
      if case .done(let written) = outcome {
        let now = HostClock.monotonic()
        state.withLock { $0.pace.wrote(written.revision, seen: $0.view.revision, at: now) }
      }
      return outcome
    } catch {
      if case .unknown = error { unknown() }
      throw .engine(error)
    }
  }

  /// Asks etcd; its failure is told in this engine's words.
  func told<Answer>(_ ask: @autoclosure () throws(EtcdFailure) -> Answer) throws(LeaseholdError) -> Answer {
    do throws(EtcdFailure) { return try ask() } catch { throw .engine(error) }
  }

  /// Looks, after the request came.
  func look(_ looks: [QueueLook], before deadline: Int64) throws(LeaseholdError) -> Sight {
    try told(store.look(looks, before: deadline))
  }

  /// Reads queues, and what an Idempotency-Key has got, after the request came.
  private func look(
    _ locks: [String], retry: String?, before deadline: Int64
  ) throws(LeaseholdError) -> Sight {
    var looks = locks.map(QueueLook.queue)
    if let retry { looks.append(.key(.retry(retry))) }
    let sight = try look(looks, before: deadline)
    note(sight)
    return sight
  }

  /// Remembers queues that were read.
  func note(_ sight: Sight) {
    state.withLock { state in
      for queue in sight.queues { state.view.see(queue) }
    }
    judge(sight.queues.map(\.lock))
  }

  // MARK: Taking back

  /// Lets a call that nobody waits for take back what it has.
  func leave(_ place: any QueueCall) {
    guard case .send = place.step else { return }
    if !run({ [self] in takeBack(place) }) { keep(place) }
  }

  private static let leftoversMax = 10_000

  private func keep(_ place: any QueueCall) {
    state.withLock { state in
      // What is dropped ends with its lease.
      if state.leftovers.count < Self.leftoversMax { state.leftovers.append(place) }
    }
  }

  /// Takes back what a call has; what cannot be done now is tried again later.
  func takeBack(_ place: any QueueCall) {
    var place = place
    let deadline = Self.deadline()
    while case .send(let transaction) = place.step {
      do throws(EtcdFailure) {
        let session = state.withLock { $0.session?.lease } ?? 0
        place.receive(try store.send(transaction, session: session, before: deadline), session: session)
      } catch {
        return keep(place)
      }
    }
  }
}
