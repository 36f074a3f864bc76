internal import EtcdGateway
public import Leasehold
internal import LeaseholdHost
internal import LeaseholdQueue
import Synchronization

// Those who wait: judged by each sight of their queues, and granted by a transaction.
extension EtcdLockService {
  /// Notes a grant, or takes it back where nobody hears of it.
  ///
  /// - Returns: The answer; `waiting` where another thread answers the call.
  func deliver(_ grant: Attempt.Grant, of place: any QueueCall, to call: Call) -> AcquireOutcome {
    var place = place
    let isInTime = place.answer(now: HostClock.monotonic())
    var held = Held(id: id(of: place, for: call), grant: grant)
    held.taken = place
    held.kinds = call.kinds
    if let request = call.request, request.bindsConnection {
      held.connection = request.caller.connection
      held.renewsAt = Self.renewal(of: grant)
    }
    let (isOurs, told) = change { state -> (Bool, LeaseSnapshot?) in
      guard state.calls.removeValue(forKey: call.number) != nil else { return (false, nil) }
      guard isInTime else { return (true, nil) }
      switch call.wanted {
      case .mode: state.counters.converted += 1
      case .lease where grant.isReplay: state.counters.replayed += 1
      case .lease: state.counters.granted += 1
      }
      let earlier = state.held[place.name]
      held.followers = earlier?.followers ?? []
      if case .mode = call.wanted, let earlier {
        (held.connection, held.renewsAt, held.kinds) = (earlier.connection, earlier.renewsAt, earlier.kinds)
        state.tell(held)
      }
      state.held[place.name] = held
      return (true, state.snapshot(held))
    }
    wake(by: min(held.deadline, held.renewsAt))
    guard let told else {
      if isInTime { place.giveUp(.withdrawn) }
      leave(place)
      return isOurs ? .refused(.placeLost()) : .waiting(call.number, behind: nil)
    }
    if case .mode = call.wanted { told.isConverted = true } else { told.replayed = grant.isReplay }
    return .granted(told)
  }

  /// When a lease that is bound to a connection is renewed next.
  static func renewal(of grant: Attempt.Grant) -> Int64 { grant.deadline - grant.ttl * 1_000_000 * 2 / 3 }

  /// That a caller waits for what it says it holds itself; `nil` where it does not.
  func waitsForItself(_ call: Call) -> LeaseholdError? {
    guard let request = call.request, request.wait > .zero, !request.holding.isEmpty else { return nil }
    let names = Set(request.holding.map { EtcdNames.entry(of: $0) })
    let own = state.withLock { state in
      names.filter { state.ends[$0] == nil }.compactMap(state.found).filter(\.isInTime)
        .flatMap { $0.entries + [$0.upgrade].compactMap(\.self) }
    }.filter { !$0.value.isWaiting }
    for want in call.wants {
      let part = Self.part(want)
      let held = own.filter { $0.lock == part.lock }
      let units = held.reduce(part.units) { $0 + $1.value.units }
      guard let lease = held.first, units > part.kind.capacity else { continue }
      let key = want.lock.key
      let step = DeadlockStep(
        owner: request.owner, waitsFor: key, mode: want.mode, ref: lease.value.ref, holds: key, isAsking: true)
      return .deadlock([step], told: request.caller.confinement)
    }
    return nil
  }

  /// An entry waits from now on.
  ///
  /// - Parameter session: The session that it was put on.
  func wait(_ call: Call, _ place: any QueueCall, _ session: Int64) -> AcquireOutcome {
    var place = place
    let isLost = change { state -> Bool in
      // A newer request with the same Idempotency-Key takes the place over.
      let others = state.waitersByLock[place.locks[0]] ?? []
      for number in others where state.waiters[number]?.place.name == place.name {
        guard let other = state.removeWaiter(number) else { continue }
        state.notices.append { [self] in refuse(other.call, .superseded()) }
      }
      guard state.calls[call.number] != nil, state.session?.lease == session else { return true }
      state.waiters[call.number] = Waiter(call: call, place: place)
      for lock in place.locks { state.waitersByLock[lock, default: []].insert(call.number) }
      return false
    }
    if isLost {
      place.giveUp(.withdrawn)
      leave(place)
      return refused(call, .placeLost())
    }
    judge(place.locks)
    wake(by: call.until)
    return .waiting(call.number, behind: nil)
  }

  /// Looks at queues for those who wait here and are next, or have lost their places.
  func judge(_ locks: [String]) {
    let due = state.withLock { state -> [Waiter] in
      var due: [Waiter] = []
      var numbers: Set<WaiterID> = []
      for lock in locks { numbers.formUnion(state.waitersByLock[lock] ?? []) }
      for number in numbers.sorted() {
        guard var waiter = state.waiters[number], !waiter.isBinding else { continue }
        guard waiter.place.judge(waiter.place.locks.map { state.view.queue($0) }) else { continue }
        state.waiters[number]?.isBinding = true
        due.append(waiter)
      }
      return due
    }
    for waiter in due where !run({ [self] in bind(waiter) }) { judgeLater(waiter) }
  }

  /// Nothing was changed: the clock looks again.
  private func judgeLater(_ waiter: Waiter) {
    state.withLock { $0.waiters[waiter.call.number]?.isBinding = false }
  }

  /// Writes what was judged, and answers.
  private func bind(_ waiter: Waiter) {
    let (call, deadline) = (waiter.call, Self.deadline())
    var place = waiter.place
    place.note(at: Self.wall(), waited: max(0, (HostClock.monotonic() - call.begun) / 1_000_000))
    do throws(LeaseholdError) {
      while case .send(let transaction) = place.step {
        let session = try session(for: transaction)
        let outcome = try send(transaction, session, before: deadline) { () -> Void in
          place.receive(.unknown, session: session)
        }
        place.receive(outcome, session: session)
      }
    } catch {
      guard error.code == .outcomeUnknown else { return judgeLater(waiter) }
      forget(waiter)
      leave(place)
      return refuse(call, error)
    }
    forget(waiter)
    switch place.step {
    case .answer(let grant): tell(call, deliver(grant, of: place, to: call))
    case .end(let ending):
      let queues = state.withLock { state in place.locks.map { state.view.queue($0) } }
      refuse(call, refusal(ending, of: place, call, queues))
    case .look, .read, .send, .wait: preconditionFailure("a turn that is neither taken nor lost")
    }
  }

  private func forget(_ waiter: Waiter) { _ = state.withLock { $0.removeWaiter(waiter.call.number) } }

  // MARK: Taking back

  /// Takes back what nobody hears of any more.
  public func withdraw(_ withdrawal: Withdrawal, at now: MonotonicInstant) {
    switch withdrawal {
    case .waiter(let number):
      let waiter = state.withLock { state -> Waiter? in
        if state.calls.removeValue(forKey: number) != nil { state.counters.canceled += 1 }
        // The thread that binds it finds no client to tell, and takes it back.
        guard let waiter = state.waiters[number], !waiter.isBinding else { return nil }
        return state.removeWaiter(number)
      }
      if let waiter { giveUp(waiter) }
    case .grant(let grant):
      let name = EtcdNames.entry(of: grant.lease)
      let taken = state.withLock { state -> (any QueueCall)? in
        guard let held = state.held[name], UInt64(held.grant.stamp) == grant.stamp, let taken = held.taken else {
          return nil
        }
        // What a retry was told, or a reader has, stays.
        if !held.grant.isReplay, taken is Attempt { state.held[name] = nil }
        return taken
      }
      guard var taken else { return }
      taken.giveUp(.withdrawn)
      leave(taken)
    case .connection(let connection):
      let bound = state.withLock { state in
        let bound = state.held.filter { $0.value.connection == connection && connection != 0 }
        for name in bound.keys {
          state.held[name]?.connection = 0
          state.held[name]?.renewsAt = .max
        }
        return bound.values.map(\.id)
      }
      for id in bound {
        run { [self] in _ = try? end(id, .connectionClosed, within: nil, on: nil) }
      }
    }
  }

  /// Takes a waiter's place back.
  func giveUp(_ waiter: Waiter) {
    var place = waiter.place
    place.giveUp(.withdrawn)
    leave(place)
  }
}
