import Leasehold
import LeaseholdTestKit

extension Traffic {
  /// One operation, chosen at random.
  func step() {
    switch Int.random(in: 0..<100, using: &random) {
    case 0..<22: acquire()
    case 22..<29: acquireSeveral()
    case 29..<41: release()
    case 41..<44: random.once(in: 3) ? add() : renew()
    case 44..<46: convert()
    case 46: breakSomeLease()
    case 47: random.once(in: 2) ? transfer() : attach()
    case 48..<53: cancel()
    case 53..<64: passTime()
    case 64..<66: endProcess()
    case 66..<76: runWaits()
    case 76..<86:
      var chance = SeededRandom(seed: random.next())
      actNatively(&chance)
    case 86..<88: closeConnection()
    case 88..<90: releaseAll()
    case 90..<92: remove()
    case 92: random.once(in: 2) ? resize() : keepHouse()
    case 93..<95: keepHouse()
    case 95: removeSet()
    case 96: drainAndStop()
    default: poll()
    }
  }

  private func acquire() {
    let index = Int.random(in: 0..<Self.keys.count, using: &random)
    var request = AcquireRequest(
      key: Self.keys[index], ttl: .milliseconds(Int64.random(in: 100..<8000, using: &random)),
      caller: Caller(connection: .random(in: 1...lastConnection, using: &random), peer: .unknown))
    let other = random.once(in: 12) ? random.pick([nil, 2, 3, 5]) : Self.limits[index]
    request.limit = other
    request.count = other == nil ? 1 : Int.random(in: 1...3, using: &random)
    if other == nil, random.once(in: 2) { request.mode = .shared }
    if !random.once(in: 3) { request.wait = .milliseconds(Int64.random(in: 1..<6000, using: &random)) }
    if random.once(in: 3) { request.owner = random.pick(["ann", "bob", String(repeating: "carol", count: 22)]) }
    if random.once(in: 5) { request.cooldown = .milliseconds(Int64.random(in: 1..<2000, using: &random)) }
    if random.once(in: 6) { request.holdAtLeast = .milliseconds(Int64.random(in: 1..<6000, using: &random)) }
    if random.once(in: 4) { request.remarks = HolderRemarks(note: nil, newest: random.pick(["g", "h"])) }
    if random.once(in: 5) { request.maxWaiters = random.pick([0, 1, 3]) }
    if random.once(in: 3) { request.idempotencyKey = random.pick(["k", "l", String(repeating: "retry", count: 12)]) }
    if random.once(in: 5) {
      request.bindsConnection = true
      if random.once(in: 2) { request.ttl = .zero }
    } else if random.once(in: 5) {
      bindToProcess(&request)
    }
    // A retry repeats a request that waits, or was granted, or is over; often on another connection.
    if !keyed.isEmpty, random.once(in: 3) {
      request = random.pick(keyed)
      if let pid = request.process?.name {
        request.process = ProcessBinding(daemon.processes.run(pid), name: pid)
      }
      request.caller = request.caller.with(connection: .random(in: 1...lastConnection, using: &random))
    } else if request.idempotencyKey != nil {
      keyed = Array(keyed.suffix(5)) + [request]
    }
    acquire(request)
  }

  private func acquire(_ request: AcquireRequest) {
    lastClient += 1
    let number = lastClient
    note("acquire \(number) \(request.key) \(request.mode) \(request.count) of \(request.limit ?? 0)")
    let outcome = daemon.ledger.acquire(request, client: { TrafficClient(number, inbox) }, at: daemon.moment)
    guard !daemon.crash.hasCrashed else { return }
    switch outcome {
    case .granted(let lease):
      note("  at once \(lease.ref) \(lease.units)\(lease.replayed ? " again" : "")")
      // A retry that does not wait gets what its place is for.
      let kept = detached.first { $0.value.keys == [request.key] && isRetry($0.value.request, of: request) }
      if let kept, !lease.replayed {
        detached[kept.key] = nil
        history.served(kept.key, for: request.key)
      } else if !lease.replayed {
        history.servedAtOnce(number, for: request.key)
      }
      told(lease, request)
    case .waiting(let waiter, _):
      let known = waiting.merging(detached) { one, _ in one }
        .first { $0.value.keys == [request.key] && isRetry($0.value.request, of: request) }
      if let known {
        detached[known.key] = nil
        history.replaced(known.key, by: number, for: request.key)
      } else {
        history.queued(number, for: request.key)
      }
      waiting[number] = Waiting(waiter: waiter, request: request, keys: [request.key])
    case .refused(let error): note("  refused \(error.code)")
    }
  }

  private func acquireSeveral() {
    let first = Int.random(in: 0..<Self.keys.count, using: &random)
    var wants: [AcquireRequest] = []
    for offset in 0..<Int.random(in: 1...Self.keys.count, using: &random) {
      let index = (first + offset) % Self.keys.count
      var request = AcquireRequest(
        key: Self.keys[index], ttl: .milliseconds(Int64.random(in: 100..<8000, using: &random)),
        caller: Caller(connection: .random(in: 1...lastConnection, using: &random), peer: .unknown))
      request.limit = Self.limits[index]
      request.count = request.limit == nil ? 1 : Int.random(in: 1...2, using: &random)
      if request.limit == nil, random.once(in: 2) { request.mode = .shared }
      wants.append(request)
    }
    if !random.once(in: 3) { wants[0].wait = .milliseconds(Int64.random(in: 1..<6000, using: &random)) }
    if random.once(in: 3) { wants[0].owner = random.pick(["ann", "bob"]) }
    if random.once(in: 4) { wants[0].remarks = HolderRemarks(note: nil, newest: random.pick(["g", "h"])) }
    if random.once(in: 4) { wants[0].bindsConnection = true }
    if random.once(in: 4), !history.leases.isEmpty { wants[0].holding = [random.pick(history.leases).id] }
    if !keyedSeveral.isEmpty, random.once(in: 3) {
      wants = random.pick(keyedSeveral)
      wants[0].caller = wants[0].caller.with(connection: .random(in: 1...lastConnection, using: &random))
    } else if random.once(in: 2) {
      wants[0].idempotencyKey = random.pick(["m", "n"])
      keyedSeveral = Array(keyedSeveral.suffix(3)) + [wants]
    }
    acquire(several: wants)
  }

  private func acquire(several wants: [AcquireRequest]) {
    lastClient += 1
    let number = lastClient
    note("acquire \(number) several \(wants.map { "\($0.key.text.prefix(5)) \($0.mode) \($0.count)" })")
    let outcome = daemon.ledger.acquire(
      Scene.together(wants), client: { TrafficClient(number, inbox) }, at: daemon.moment)
    guard !daemon.crash.hasCrashed else { return }
    switch outcome {
    case .granted(let lease):
      note("  at once \(lease.ref)\(lease.replayed ? " again" : "")")
      if !lease.replayed { for want in wants { history.servedAtOnce(number, for: want.key) } }
      told(lease, wants[0])
    case .waiting(let waiter, _):
      let keys = wants.map(\.key)
      let known = waiting.merging(detached) { one, _ in one }
        .first { $0.value.keys == keys && isRetry($0.value.request, of: wants[0]) }
      if let known { detached[known.key] = nil }
      for key in keys {
        if let known { history.replaced(known.key, by: number, for: key) } else { history.queued(number, for: key) }
      }
      waiting[number] = Waiting(waiter: waiter, request: wants[0], keys: keys)
    case .refused(let error): note("  refused \(error.code)")
    }
  }

  private func convert() {
    guard let lease = someLease, let place = lease.places.first(where: { $0.kind == .readersWriter }) else { return }
    lastClient += 1
    let number = lastClient
    let caller = Caller(connection: .random(in: 1...lastConnection, using: &random), peer: .unknown)
    var request = ConvertRequest(
      lease: lease.id, on: LockName(place.key), mode: random.pick([.shared, .exclusive]), caller: caller)
    if random.once(in: 2) { request.wait = .milliseconds(Int64.random(in: 1..<6000, using: &random)) }
    note("convert \(number) \(lease.ref) to \(request.mode)")
    history.askedToConvert(lease.id)
    let outcome = daemon.ledger.convert(request, client: { TrafficClient(number, inbox) }, at: daemon.moment)
    guard !daemon.crash.hasCrashed else { return }
    switch outcome {
    case .granted(let lease):
      note("  at once")
      history.converted(lease)
    case .waiting(let waiter, _):
      waiting[number] = Waiting(
        waiter: waiter, request: AcquireRequest(key: place.key, ttl: .seconds(1), caller: caller), keys: [])
    case .refused(let error):
      note("  refused \(error.code)")
      if let same = try? daemon.ledger.lease(lease.id) { history.converted(same) }
    }
  }

  private func isRetry(_ one: AcquireRequest, of other: AcquireRequest) -> Bool {
    one.idempotencyKey != nil && one.idempotencyKey == other.idempotencyKey
  }

  var someLease: LeaseSnapshot? {
    let leases = history.leases
    return leases.isEmpty ? nil : random.pick(leases)
  }

  private func release() {
    guard let lease = someLease else { return }
    note("release \(lease.ref)")
    history.letGo(lease.id)
    let key = random.once(in: 2) ? lease.key : nil
    let outcome = try? daemon.ledger.release(lease.id, key: key, early: random.once(in: 4), at: daemon.moment)
    if let end = outcome?.keptUntil, !daemon.crash.hasCrashed { history.keeps(lease.id, until: end) }
  }

  private func renew() {
    guard let lease = someLease else { return }
    let ttl = TimeSpan.milliseconds(Int64.random(in: 100..<8000, using: &random))
    note("renew \(lease.ref) for \(ttl.milliseconds) ms")
    let renewed = try? daemon.ledger.renew(lease.id, key: nil, ttl: ttl, at: daemon.moment)
    if let renewed, !daemon.crash.hasCrashed {
      history.renewed(renewed)
    } else {
      history.shorten(lease.id, to: (now + ttl).nanoseconds)
    }
  }

  private func cancel() {
    guard let number = waiting.keys.min(by: { $0 &* 37 % 101 < $1 &* 37 % 101 }), let waiter = waiting[number]
    else { return }
    note("cancel \(number)")
    hangUp(number, waiter)
  }

  private func hangUp(_ number: Int, _ waiter: Waiting) {
    waiting[number] = nil
    if waiter.request.idempotencyKey != nil {
      detached[number] = waiter
    } else {
      for key in waiter.keys { history.left(number, key) }
    }
    daemon.ledger.withdraw(.waiter(waiter.waiter), at: daemon.moment)
  }

  private func passTime() {
    let span = random.once(in: 6) ? 20_000 : Int64.random(in: 1..<1500, using: &random)
    note("time passes: \(span) ms")
    daemon.clock.advance(by: .milliseconds(span))
    while daemon.ledger.tick(at: daemon.moment, budget: random.pick([1, 3, 100])), !daemon.crash.hasCrashed {}
  }

  private func runWaits() {
    for _ in 0..<3 {
      let runnable = daemon.waiting.runnable
      if !runnable.isEmpty { daemon.waiting.run(random.pick(runnable)) }
    }
    if random.once(in: 40) { daemon.waiting.failAll() }
    guard !daemon.waiting.reports.isEmpty, !random.once(in: 4) else { return }
    let report = daemon.waiting.reports.remove(at: .random(in: 0..<daemon.waiting.reports.count, using: &random))
    note("\(report)")
    daemon.deliver(report)
  }

  private func closeConnection() {
    close(.random(in: 1...lastConnection, using: &random))
  }

  /// What is bound to a connection ends, and who waits on it gets nothing any more.
  func close(_ connection: ConnectionID) {
    note("connection \(connection) closes")
    history.letGo { connections[$0.id] == connection }
    daemon.ledger.withdraw(.connection(connection), at: daemon.moment)
    for (number, waiter) in waiting.sorted(by: { $0.key < $1.key })
    where waiter.request.caller.connection == connection {
      gone.insert(number)
      hangUp(number, waiter)
    }
  }

  private func releaseAll() {
    let owner = random.pick(["ann", "bob"])
    let key = random.once(in: 2) ? random.pick(Self.keys) : nil
    note("release all of \(owner) on \(key?.text ?? "any lock")")
    history.letGo { lease in
      lease.owner == owner && (key == nil || lease.places.contains { $0.key == key })
    }
    _ = daemon.ledger.releaseAll(owner: owner, key: key, of: nil, at: daemon.moment)
  }

  private func remove() {
    let key = random.pick(Self.keys)
    let force = random.once(in: 2)
    note("remove \(key)\(force ? " by force" : "")")
    if force { history.letGo { $0.places.contains { $0.key == key } } }
    try? daemon.ledger.remove(key, force: force, at: daemon.moment)
  }

  private func keepHouse() {
    note("housekeeping")
    daemon.ledger.housekeep(at: daemon.moment)
  }

  private func removeSet() {
    guard let bank = daemon.kernel.banks().first else { return }
    note("set \(bank.set) is removed")
    daemon.kernel.removeSet(bank.set)
  }

  private func drainAndStop() {
    note("drain")
    daemon.ledger.drain()
    daemon.tell()
    release()
    daemon.crash.crashNow()
  }

  private func poll() {
    if daemon.ledger.wantsPolling { daemon.ledger.poll(at: daemon.moment) }
  }
}
