internal import EtcdGateway
public import Leasehold
internal import LeaseholdHost
import Synchronization

// Those who wait: judged by each sight of their queues, and granted by a transaction.
extension EtcdLockService {
  /// A grant that this server tells of.
  ///
  /// - Parameter sent: When the transaction was sent first, nanoseconds of CLOCK_MONOTONIC.
  func held(_ place: Place, sent: Int64, _ attempt: Attempt) -> Held {
    let ttl = place.entries[0].ttl * 1_000_000
    var held = Held(place: place, deadline: Self.deadline(sent: sent, ttl: ttl))
    if attempt.request.bindsConnection {
      held.connection = attempt.request.caller.connection
      held.renewsAt = sent + ttl / 3
    }
    return held
  }

  /// The end of a lease by its holder's clock: clocks may go wrong by 500 millionths, on both sides.
  static func deadline(sent: Int64, ttl: Int64) -> Int64 { sent + ttl - max(1_000_000, ttl / 1000) }

  /// Answers a grant, or takes it back where nobody hears of it.
  func deliver(_ held: Held, to attempt: Attempt, isReplay: Bool) {
    let (place, isInTime) = (held.place, HostClock.monotonic() < held.deadline)
    let isOurs = state.withLock { state in
      guard state.attempts.removeValue(forKey: attempt.number) != nil else { return false }
      guard isInTime else { return true }
      if isReplay { state.counters.replayed += 1 } else { state.counters.granted += 1 }
      var held = held
      held.followers = state.held[place.name]?.followers ?? []
      state.held[place.name] = held
      return true
    }
    alarm.ring()
    if isOurs, isInTime { return attempt.client.granted(snapshot(held, isReplay: isReplay)) }
    if isOurs { attempt.client.refused(.placeLost()) }
    if !isReplay { takeBack(place, .undelivered) }
  }

  /// An entry waits from now on.
  func wait(_ attempt: Attempt, at place: Place) {
    change { state, notices in
      state.sending.remove(place.name)
      // A newer request with the same Idempotency-Key takes the place over.
      let others = state.waitersByLock[place.locks[0]] ?? []
      for number in others where state.waiters[number]?.place.name == place.name {
        guard let other = Self.remove(number, from: &state) else { continue }
        notices.append { [self] in refuse(other.attempt, .superseded()) }
      }
      guard state.attempts[attempt.number] != nil else {
        notices.append { [self] in takeBack(place, .undelivered) }
        return
      }
      guard state.session?.lease == place.entries[0].session else {
        notices.append { [self] in
          refuse(attempt, .placeLost())
          takeBack(place, .undelivered)
        }
        return
      }
      state.waiters[attempt.number] = Waiter(attempt: attempt, place: place)
      for lock in place.locks { state.waitersByLock[lock, default: []].insert(attempt.number) }
    }
    judge(place.locks)
    alarm.ring()
  }

  /// Forgets a waiter.
  static func remove(_ number: WaiterID, from state: inout EtcdState) -> Waiter? {
    guard let waiter = state.waiters.removeValue(forKey: number) else { return nil }
    for lock in waiter.place.locks {
      state.waitersByLock[lock]?.remove(number)
      if state.waitersByLock[lock]?.isEmpty ?? false { state.waitersByLock[lock] = nil }
    }
    return waiter
  }

  private enum Verdict { case held, gone, waits }

  /// Looks at queues for those who wait here and are next.
  func judge(_ locks: [String]) {
    let due = state.withLock { state -> [(Waiter, Verdict)] in
      var due: [(Waiter, Verdict)] = []
      var numbers: Set<WaiterID> = []
      for lock in locks { numbers.formUnion(state.waitersByLock[lock] ?? []) }
      guard !numbers.isEmpty else { return [] }
      for number in numbers.sorted() {
        guard let waiter = state.waiters[number], !waiter.isBinding else { continue }
        let verdict = Self.verdict(waiter.place, state.view)
        guard verdict != .waits else { continue }
        state.waiters[number]?.isBinding = true
        due.append((waiter, verdict))
      }
      return due
    }
    for (waiter, verdict) in due {
      let isRun = run { [self] in if verdict == .held { bind(waiter) } else { explain(waiter) } }
      if !isRun { judgeLater(waiter) }
    }
  }

  private func judgeLater(_ waiter: Waiter) {
    state.withLock { $0.waiters[waiter.attempt.number]?.isBinding = false }
  }

  /// Judges an entry by views that are not older than it.
  private static func verdict(_ place: Place, _ view: borrowing ClusterView) -> Verdict {
    var isHeld = true
    for entry in place.entries {
      let queue = view.queue(entry.lock)
      guard queue.revision >= place.modified else { return .waits }
      guard let found = queue[entry.name], found.mark == entry.mark, found.session == entry.session else {
        return .gone
      }
      isHeld = isHeld && queue.holds(entry.name) ?? false
    }
    return isHeld ? .held : .waits
  }

  /// Puts an entry that is held on a lease of its own, and answers.
  private func bind(_ waiter: Waiter) {
    let (attempt, deadline) = (waiter.attempt, Self.deadline())
    var place = waiter.place
    let session = place.entries[0].session
    let waited = max(0, (HostClock.monotonic() - attempt.begun) / 1_000_000)
    let (now, mark) = (Self.wall(), UInt64.random(in: .min ... .max))
    place.change { ($0.session, $0.waited, $0.at, $0.mark) = (0, waited, now, mark) }
    do throws(EtcdFailure) {
      let young = try leases.young(for: place.entries[0].ttl * 1_000_000, before: deadline)
      let outcome = try gateway.commit(
        recipe.bind(waiter.place, from: session, place.entries, on: young.lease), before: deadline)
      let fate = recipe.fate(outcome, of: place.entries)
      if outcome.isDone {
        place = place.written(at: outcome.revision, isNew: false, lease: young.lease)
      } else if outcome.isRepeat, fate.entries.first?.mark == place.entries[0].mark {
        place.entries = fate.entries
      } else {
        return lose(waiter, fate)
      }
      _ = state.withLock { Self.remove(attempt.number, from: &$0) }
      deliver(held(place, sent: young.sent, attempt), to: attempt, isReplay: false)
    } catch .unknown(let reason) {
      state.withLock { state in
        _ = Self.remove(attempt.number, from: &state)
        state.unsettled.append(place)
      }
      refuse(attempt, .engine(.unknown(reason)))
    } catch {
      // Nothing was changed: the clock looks again.
      judgeLater(waiter)
    }
  }

  /// Finds out what became of an entry that is not what it was.
  private func explain(_ waiter: Waiter) {
    do throws(LeaseholdError) {
      let entries = waiter.place.entries
      let outcome = try commit(recipe.read(fateOf: entries), before: Self.deadline())
      let fate = recipe.fate(outcome, of: entries)
      let isSame = fate.entries.first.map { $0.mark == entries[0].mark && $0.session == entries[0].session }
      // A member that is behind may show what was; the clock looks again.
      if isSame ?? false { return judgeLater(waiter) }
      lose(waiter, fate)
    } catch {
      judgeLater(waiter)
    }
  }

  /// Tells a waiter how its place was lost.
  private func lose(_ waiter: Waiter, _ fate: Recipe.Fate) {
    let first = waiter.place.entries[0]
    _ = state.withLock { Self.remove(waiter.attempt.number, from: &$0) }
    if let end = fate.end, fate.entries.isEmpty {
      let (key, ref) = (waiter.attempt.request.key, first.ref)
      refuse(
        waiter.attempt,
        .over(end.reason, key: key, ref: ref, at: Self.instant(end.at), by: end.by, note: end.note))
    } else {
      let isElsewhere = fate.entries.first.map { $0.session != first.session || $0.mark != first.mark } ?? false
      refuse(waiter.attempt, isElsewhere ? .superseded() : .placeLost())
    }
  }

  // MARK: Taking back

  /// Takes back what nobody hears of any more.
  public func withdraw(_ withdrawal: Withdrawal, at now: MonotonicInstant) {
    switch withdrawal {
    case .waiter(let number):
      let waiter = state.withLock { state -> Waiter? in
        if state.attempts.removeValue(forKey: number) != nil { state.counters.canceled += 1 }
        // Whoever binds it finds nobody to tell, and takes it back.
        guard let waiter = state.waiters[number], !waiter.isBinding else { return nil }
        return Self.remove(number, from: &state)
      }
      if let waiter { takeBack(waiter.place, .undelivered) }
    case .grant(let grant):
      let name = EtcdLayout.entry(of: grant.lease)
      let place = state.withLock { state in
        guard let held = state.held[name], UInt64(held.place.modified) == grant.stamp else { return Place?.none }
        state.held[name] = nil
        return held.place
      }
      if let place { takeBack(place, .undelivered) }
    case .connection(let connection):
      let bound = state.withLock { state in
        let bound = state.held.filter { $0.value.connection == connection && connection != 0 }
        for name in bound.keys { state.held[name]?.connection = 0; state.held[name]?.renewsAt = .max }
        return bound.values.map(\.place.id)
      }
      for id in bound {
        run { [self] in _ = try? end(id, .connectionClosed, within: nil, on: nil) }
      }
    }
  }

  /// Deletes an entry that is as this server wrote it last.
  func takeBack(_ place: Place, _ reason: EndReason) {
    run { [self] in
      for _ in 0..<3 {
        let end = StoredEnd(reason, of: place.entries[0], at: Self.wall())
        guard let tombs = try? leases.young(for: 600_000_000_000, slack: 60, before: Self.deadline()) else { continue }
        let transaction = recipe.delete(place.entries, end, keepsRetry: false, on: tombs.lease)
        if (try? commit(transaction, before: Self.deadline())) != nil { return }
      }
    }
  }

  /// Keeps a put whose outcome is unknown from counting, unless a retry was told of it; false where that is still open.
  func settle(_ place: Place) -> Bool {
    let end = StoredEnd(.undelivered, of: place.entries[0], at: Self.wall())
    do throws(EtcdFailure) {
      let tombs = try leases.young(for: 600_000_000_000, slack: 60, before: Self.deadline())
      let outcome = try gateway.commit(recipe.settle(place, end, on: tombs.lease), before: Self.deadline())
      let fate = recipe.fate(outcome, of: place.entries)
      guard !outcome.isDone, let first = fate.entries.first, first.mark == place.entries[0].mark else { return true }
      _ = try gateway.commit(
        recipe.delete(fate.entries, end, keepsRetry: false, on: tombs.lease), before: Self.deadline())
      return true
    } catch {
      return false
    }
  }
}
