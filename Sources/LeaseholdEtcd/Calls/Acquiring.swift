internal import EtcdGateway
internal import JSONText
public import Leasehold
internal import LeaseholdHost
import Synchronization

// Taking locks: at once where there is room behind all, else by a place in the queue.
extension EtcdLockService {
  var recipe: Recipe { Recipe(layout: layout) }

  /// Asks etcd on a thread of its own; the client hears of it.
  public func acquire(
    _ request: AcquireRequest, client: () -> any LeaseClient, at now: MonotonicInstant
  ) -> AcquireOutcome {
    do {
      try check(request)
    } catch {
      return .refused(error)
    }
    let client = client()
    let limit = configuration.limits.waiters
    let result = state.withLock { state -> Result<Attempt, LeaseholdError> in
      guard !state.isDraining else { return .failure(.notServing(true)) }
      if let key = request.callersKey, state.canceled.contains(key) { return .failure(.canceled()) }
      guard state.attempts.count < limit else { return .failure(.tooManyWaiters(limit)) }
      state.lastWaiter += 1
      let attempt = Attempt(state.lastWaiter, request, client, at: now)
      state.attempts[attempt.number] = attempt
      return .success(attempt)
    }
    switch result {
    case .failure(let error): return .refused(error)
    case .success(let attempt):
      if run({ [self] in perform(attempt) }) { return .waiting(attempt.number, behind: nil) }
      _ = claim(attempt)
      return .refused(.noThread())
    }
  }

  /// Refuses what this engine does not have.
  ///
  /// - Throws: `not-supported`, `count-exceeds-limit`.
  private func check(_ request: AcquireRequest) throws(LeaseholdError) {
    for want in [request.want] + request.others {
      try checkPlain(want.lock)
      let limit = want.limit ?? 1
      guard want.count <= limit else { throw .countExceeds(want.count, limit) }
    }
    if request.process != nil {
      throw .notSupported("A process can be watched on its own host only.", instead: "hold, or renew")
    }
    if request.cooldown > .zero {
      throw .notSupported("A lease on etcd has no cooldown.", instead: "a longer ttl")
    }
    if request.ttl == .zero, !request.bindsConnection {
      throw .notSupported("A lease on etcd needs a ttl.", instead: "a ttl, or bind=connection")
    }
  }

  /// Throws for native names.
  ///
  /// - Throws: `not-supported`.
  func checkPlain(_ lock: LockName) throws(LeaseholdError) {
    guard lock.native == nil, lock.key.native == nil else {
      throw .notSupported(
        "This name is a semaphore of one host.", instead: "a plain name, or the Leasehold of that host")
    }
  }

  /// Takes an attempt out of the table: whoever does so answers it.
  func claim(_ attempt: Attempt) -> Bool {
    state.withLock { $0.attempts.removeValue(forKey: attempt.number) != nil }
  }

  /// Goes on with an acquire until it is granted, refused, or waits.
  private func perform(_ attempt: Attempt) {
    do throws(LeaseholdError) {
      switch try enter(attempt) {
      case .granted(let held, let isReplay): deliver(held, to: attempt, isReplay: isReplay)
      case .queued(let place): wait(attempt, at: place)
      }
    } catch {
      refuse(attempt, error)
    }
  }

  func refuse(_ attempt: Attempt, _ error: LeaseholdError) {
    let isOurs = state.withLock { state in
      guard state.attempts.removeValue(forKey: attempt.number) != nil else { return false }
      switch error.code {
      case .locked: state.counters.busy += 1
      case .waitTimeout: state.counters.timedOut += 1
      default: state.counters.refused += 1
      }
      return true
    }
    if isOurs { attempt.client.refused(error) }
  }

  private enum Entered {
    case granted(Held, isReplay: Bool)
    case queued(Place)
  }

  /// The entries that a request wants, which are not there yet.
  private func wanted(_ request: AcquireRequest) -> Recipe.Wanted {
    let id = LeaseID(high: .random(in: .min ... .max), low: .random(in: .min ... .max))
    let name = EtcdLayout.entry(of: id)
    let wants = [request.want] + request.others
    let locks = wants.map { EtcdLayout.encoded($0.lock.key) }
    let ttl = request.ttl == .zero ? Self.ttlOfBound : request.ttl
    var entries: [QueueEntry] = []
    for (want, lock) in zip(wants, locks) {
      let units = want.limit == nil ? (want.mode == .shared ? 1 : Limits.readerUnits) : want.count
      var entry = QueueEntry(lock: lock, name: name, units: units, mode: want.mode, count: want.count)
      (entry.owner, entry.peer) = (request.owner, request.caller.inWords)
      (entry.ttl, entry.ref) = (ttl.millisecondsRoundedUp, id.ref)
      (entry.at, entry.mark) = (Self.wall(), .random(in: .min ... .max))
      entry.isBound = request.bindsConnection
      if locks.count > 1 { entry.locks = locks }
      entries.append(entry)
    }
    var wanted = Recipe.Wanted(
      place: Place(id: id, entries: entries),
      kinds: wants.map { $0.limit.map { .counting(limit: $0) } ?? .readersWriter })
    if let key = request.idempotencyKey {
      let door = String(request.fingerprint >> 32)
      let hash = EtcdLayout.digest("key", request.key.text, key, door)
      wanted.place.change { $0.hash = hash }
      let value = JSON.object([
        JSON.Member("e", .string(name)), JSON.Member("f", .string(fingerprint(request))),
        JSON.Member("x", .string(EtcdLayout.hidden(id, by: key, request.key).text)),
        JSON.Member("l", .array(locks.map { .string($0) })),
      ])
      wanted.retry = (hash, Array(value.description.utf8))
    }
    return wanted
  }

  private func fingerprint(_ request: AcquireRequest) -> String {
    let others = request.others.map { "\($0.lock.key) \($0.mode.rawValue) \($0.limit ?? 0) \($0.count)" }
    return String(request.fingerprint, radix: 16)
      + (others.isEmpty ? "" : EtcdLayout.digest(others.joined(separator: "\n")))
  }

  /// Puts entries of a request into their queues.
  private func enter(_ attempt: Attempt) throws(LeaseholdError) -> Entered {
    let (request, deadline) = (attempt.request, Self.deadline())
    var wanted = wanted(request)
    let (locks, keys) = (wanted.place.locks, ([request.want] + request.others).map(\.lock.key))
    var sight = state.withLock { state in Recipe.Sight(queues: locks.map { state.view.queue($0) }) }
    for round in 0..<8 {
      if let retry = sight.retry {
        if let found = try replay(retry, attempt, wanted, before: deadline) { return found }
        sight = try look(locks, retry: wanted.retry?.hash, before: deadline)
        continue
      }
      let decision = decide(wanted, request, sight, keys, isLastChance: round > 2)
      switch decision {
      case .look: sight = try look(locks, retry: wanted.retry?.hash, before: deadline)
      case .refuse(let error): throw error
      case .take, .queue:
        let isHolder = if case .take = decision { true } else { false }
        let alone = request.maxWaiters != nil
        let (place, outcome) = try put(wanted, sight.queues, asHolder: isHolder, alone: alone, before: deadline)
        if let place {
          return isHolder ? .granted(held(place.0, sent: place.sent, attempt), isReplay: false) : .queued(place.0)
        }
        if outcome.isRepeat {
          // An attempt of that call may still come to pass: it is settled, and what comes next has another name.
          state.withLock { $0.unsettled.append(wanted.place) }
          wanted = self.wanted(request)
        }
        sight = recipe.sight(outcome, of: locks)
        note(sight, of: locks)
      }
    }
    throw .busyQueue(request.key)
  }

  private enum Decision {
    case take, queue, look
    case refuse(LeaseholdError)
  }

  /// Decides by a sight of the queues: a refusal only by one that was read after the request came.
  private func decide(
    _ wanted: Recipe.Wanted, _ request: AcquireRequest, _ sight: Recipe.Sight, _ keys: [LockKey], isLastChance: Bool
  ) -> Decision {
    var hasRoom = !sight.isCut
    for (index, entry) in wanted.place.entries.enumerated() {
      let (queue, kind) = (sight.queues[index], wanted.kinds[index])
      if let known = queue.kind, known != kind, !queue.entries.isEmpty {
        return sight.isFresh ? .refuse(.mismatch(keys[index], known, kind)) : .look
      }
      let capacity = if case .counting(let limit) = kind { limit } else { Limits.readerUnits }
      hasRoom = hasRoom && queue.hasRoom(for: entry.units, of: capacity)
    }
    if hasRoom, !isLastChance || request.wait == .zero { return .take }
    if request.wait == .zero { return sight.isFresh ? .refuse(busy(wanted, sight, keys, .locked)) : .look }
    let limit = min(request.maxWaiters ?? .max, configuration.limits.waitersPerLock, Recipe.entriesMax)
    if !hasRoom, sight.isCut || sight.queues.contains(where: { $0.waiters.count >= limit }) {
      return sight.isFresh ? .refuse(busy(wanted, sight, keys, .queueFull)) : .look
    }
    return .queue
  }

  /// That a lock is not to be had now.
  private func busy(
    _ wanted: Recipe.Wanted, _ sight: Recipe.Sight, _ keys: [LockKey], _ code: LeaseholdError.Code
  ) -> LeaseholdError {
    let index =
      sight.queues.indices.first { index in
        !sight.queues[index].hasRoom(for: wanted.place.entries[index].units, of: sight.queues[index].capacity)
      } ?? 0
    let shown = Self.shown(keys[index], sight.queues[index], listed: 10)
    let what = shown.holderCount > 0 ? "is held" : "is queued for"
    return .contended(
      code, shown,
      code == .locked
        ? "\(what); ask with wait=10s to queue for it, or try again later"
        : "\(what), and \(shown.waiterCount) wait already; try again later")
  }

  /// Puts entries; the place where that was done, else what was found.
  private func put(
    _ wanted: Recipe.Wanted, _ queues: [LockQueue], asHolder isHolder: Bool, alone: Bool, before deadline: Int64
  ) throws(LeaseholdError) -> ((Place, sent: Int64)?, EtcdOutcome) {
    var wanted = wanted
    let name = wanted.place.name
    do throws(EtcdFailure) {
      let (lease, sent): (Int64, Int64)
      if isHolder {
        let young = try leases.young(for: wanted.place.entries[0].ttl * 1_000_000, before: deadline)
        (lease, sent) = (young.lease, young.sent)
      } else {
        (lease, sent) = (try currentSession(), HostClock.monotonic())
        wanted.place.change { $0.session = lease }
        state.withLock { _ = $0.sending.insert(name) }
      }
      let transaction = recipe.enter(wanted, on: lease, seen: queues, asHolder: isHolder, alone: alone)
      let outcome = try gateway.commit(transaction, before: deadline)
      if outcome.isDone {
        return ((wanted.place.written(at: outcome.revision, isNew: true, lease: lease), sent), outcome)
      }
      // An earlier attempt of the same call may have done it.
      let sight = recipe.sight(outcome, of: wanted.place.locks)
      let found = zip(wanted.place.entries, sight.queues).compactMap { $1[$0.name] }
      if outcome.isRepeat, found.count == wanted.place.entries.count, found[0].mark == wanted.place.entries[0].mark {
        return ((Place(id: wanted.place.id, entries: found), sent), outcome)
      }
      state.withLock { _ = $0.sending.remove(name) }
      return (nil, outcome)
    } catch {
      state.withLock { state in
        state.sending.remove(name)
        if case .unknown = error { state.unsettled.append(wanted.place) }
      }
      if case .refused(.leaseGone, _) = error, !isHolder { loseSession() }
      throw .engine(error)
    }
  }

  /// Reads queues, after the request came.
  private func look(
    _ locks: [String], retry: String?, before deadline: Int64
  ) throws(LeaseholdError) -> Recipe.Sight {
    let sight = recipe.sight(try commit(recipe.read(locks, retry: retry), before: deadline), of: locks)
    note(sight, of: locks)
    return sight
  }

  /// Remembers queues that were read.
  func note(_ sight: Recipe.Sight, of locks: [String]) {
    guard !sight.isCut else { return }
    state.withLock { state in
      for (lock, queue) in zip(locks, sight.queues) { _ = state.view.see(lock, queue) }
    }
    judge(locks)
  }

  // MARK: Retries

  /// Answers a retry by what its Idempotency-Key names; `nil` where that has changed meanwhile.
  private func replay(
    _ entry: EtcdEntry, _ attempt: Attempt, _ wanted: Recipe.Wanted, before deadline: Int64
  ) throws(LeaseholdError) -> Entered? {
    let (json, request) = (JSON(entry.value) ?? .null, attempt.request)
    guard let key = request.idempotencyKey, let name = json["e"].string,
      let hidden = json["x"].string.flatMap({ LeaseID(hexadecimal: $0.utf8) }),
      json["f"].string == fingerprint(request)
    else { throw .idempotencyMismatch() }
    let id = EtcdLayout.hidden(hidden, by: key, request.key)
    let asked = json["l"].elements.compactMap(\.string).map { QueueEntry(lock: $0, name: name, units: 0) }
    let fate = recipe.fate(try commit(recipe.read(fateOf: asked), before: deadline), of: asked)
    if let end = fate.end, fate.entries.isEmpty {
      throw .over(end.reason, key: request.key, ref: id.ref, at: Self.instant(end.at), by: end.by, note: end.note)
    }
    guard let first = fate.entries.first else { return nil }
    var place = Place(id: id, entries: fate.entries)
    place.change { $0.mark = .random(in: .min ... .max) }
    if first.isWaiting {
      guard request.wait > .zero else {
        let sight = try look(wanted.place.locks, retry: nil, before: deadline)
        throw busy(wanted, sight, ([request.want] + request.others).map(\.lock.key), .locked)
      }
      return try adopt(place, seen: fate.entries, before: deadline).map { .queued($0) }
    }
    let young = try young(for: first.ttl, before: deadline)
    let outcome = try commit(recipe.claim(fate.entries, as: place.entries, on: young.lease), before: deadline)
    guard outcome.isDone else { return nil }
    place = place.written(at: outcome.revision, isNew: false, lease: young.lease)
    return .granted(held(place, sent: young.sent, attempt), isReplay: true)
  }

  /// Puts a waiting entry of another server, or of an earlier attempt here, onto this server's session.
  private func adopt(
    _ place: Place, seen: [QueueEntry], before deadline: Int64
  ) throws(LeaseholdError) -> Place? {
    let session: Int64
    do throws(EtcdFailure) { session = try currentSession() } catch { throw .engine(error) }
    var place = place
    place.change { $0.session = session }
    let name = place.name
    state.withLock { _ = $0.sending.insert(name) }
    do throws(LeaseholdError) {
      let outcome = try commit(recipe.claim(seen, as: place.entries, on: session), before: deadline)
      if outcome.isDone { return place.written(at: outcome.revision, isNew: false, lease: session) }
      state.withLock { _ = $0.sending.remove(name) }
      return nil
    } catch {
      state.withLock { _ = $0.sending.remove(name) }
      throw error
    }
  }

  // MARK: Asking etcd

  /// Runs a transaction.
  ///
  /// - Throws: `engine-unavailable`, `outcome-unknown`.
  func commit(_ transaction: EtcdTransaction, before deadline: Int64) throws(LeaseholdError) -> EtcdOutcome {
    do throws(EtcdFailure) { return try gateway.commit(transaction, before: deadline) } catch { throw .engine(error) }
  }

  /// A lease for so many milliseconds.
  ///
  /// - Throws: `engine-unavailable`.
  func young(for ttl: Int64, before deadline: Int64) throws(LeaseholdError) -> LeasePool.Young {
    do throws(EtcdFailure) {
      return try leases.young(for: ttl * 1_000_000, before: deadline)
    } catch {
      throw .engine(error)
    }
  }
}
