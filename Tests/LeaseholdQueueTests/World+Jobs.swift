@testable import LeaseholdQueue

extension Explorer {
  func jobSteps(_ world: World, _ index: Int, _ job: World.Job, _ steps: inout Steps) {
    switch job.work {
    case .attempt(let attempt): attemptSteps(world, index, job, attempt, &steps)
    case .piecemeal(let attempt, let next): piecemealStep(world, index, job, attempt, next, &steps)
    case .renewal(let renewal, let lease): renewalSteps(world, index, job, renewal, lease, &steps)
    case .upgrade(let upgrade): upgradeSteps(world, index, job, upgrade, &steps)
    case .release(let release):
      guard let transaction = release.transaction else { return }
      let (client, server) = (job.client, job.server)
      let isThere = world.etcd.entry(release.name) != nil
      let isCooling = scenario.hasCooldown && isThere && !world.etcd.isInTime(release.name)
      steps.add("server \(server)\(isThere ? " deletes \(client)" : ": \(client) had ended")") { next in
        var release = release
        release.receive(next.etcd.run(transaction, session: next.session(server)))
        if isCooling, case .done = release.phase { next.flaw = "COOLDOWN of an expired lease cut short" }
        next.set(index, release.transaction == nil ? nil : .release(release))
      }
    case .lowering(let lowering):
      guard let transaction = lowering.transaction else { return }
      steps.add("server \(job.server) deletes the upgrade of \(job.client)") { next in
        var lowering = lowering
        lowering.receive(next.etcd.run(transaction, session: next.session(job.server)))
        next.set(index, lowering.transaction == nil ? nil : .lowering(lowering))
      }
    case .late(let transaction, let lease):
      steps.add("the late put of \(job.client) arrives") { next in
        if next.etcd.leases.contains(lease) {
          _ = next.etcd.run(transaction, session: next.session(job.server), young: lease)
        }
        next.set(index, nil)
      }
    }
  }

  /// Leases for a transaction: one that is granted just now, and where leases are shared every other one in use.
  func young(_ world: World, _ transaction: QueueTransaction) -> [(id: Int64, name: String)] {
    for case .young(let ttl)? in transaction.writes.map(\.lease) {
      let kind = SimulatedLease.kind(ttl: ttl)
      var leases = [(id: SimulatedLease.id(kind, world.nextLease), name: "")]
      if scenario.sharesLeases {
        for other in world.etcd.leases.sorted()
        where SimulatedLease.kind(other) == kind && !world.past.contains(other) {
          leases.append((other, ", sharing lease \(SimulatedLease.number(other))"))
        }
      }
      return leases
    }
    return [(0, "")]
  }

  /// Runs a transaction; the lease is granted before.
  func run(_ world: inout World, _ server: Int, _ transaction: QueueTransaction, _ lease: Int64) -> QueueOutcome {
    if lease != 0 {
      world.etcd.leases.insert(lease)
      if scenario.hasCooldown {
        world.etcd.leases.insert(SimulatedLease.id(.marker, SimulatedLease.number(lease)))
      }
    }
    let outcome = world.etcd.run(transaction, session: world.session(server), young: lease)
    if !scenario.isLive, rules.has(.freshView), case .done = outcome {
      let capacities = world.servers[server].view.capacities
      world.servers[server].view = world.etcd.snapshot
      if !on(.oneView), world.servers[server].isSilent { world.servers[server].view.capacities = capacities }
    }
    return outcome
  }

  // MARK: Acquiring

  private func attemptSteps(
    _ world: World, _ index: Int, _ job: World.Job, _ attempt: Attempt, _ steps: inout Steps
  ) {
    let (server, client) = (job.server, job.client)
    let isCurrent = world.clients[client].attempt == job.attempt && world.clients[client].doing == .asked
    switch attempt.step {
    case .look, .read:
      for (snapshot, isOld) in attempt.step == .read ? reads(world) : sights(world, server) {
        var next = attempt
        next.decide(attempt.wish.locks.map(snapshot.queue))
        steps.add("server \(server)\(Self.decision(next, client))", isOld: isOld) {
          finish(&$0, index, job, next)
          if case .over(.refused) = next.phase { check(&$0, job, attempt) }
        }
      }
    case .wait: waitingSteps(world, index, job, attempt, isCurrent, &steps)
    case .answer(let grant):
      var next = attempt
      guard next.answer(now: world.past.contains(grant.lease) ? 1 : 0) else {
        steps.add("server \(server): too late for \(client)") { finish(&$0, index, job, next) }
        return
      }
      if isCurrent {
        next.delivered()
        steps.add("client \(client) is told: granted") {
          finish(&$0, index, job, next)
          tell(&$0, client, grant, .units)
        }
      } else {
        next.notDelivered()
        steps.add("server \(server) cannot deliver to \(client)") { finish(&$0, index, job, next) }
      }
    case .send(let transaction): sendingSteps(world, index, job, attempt, transaction, &steps)
    case .end: preconditionFailure("a job that has ended is nobody's")
    }
  }

  private func waitingSteps(
    _ world: World, _ index: Int, _ job: World.Job, _ attempt: Attempt, _ isCurrent: Bool, _ steps: inout Steps
  ) {
    let (server, client) = (job.server, job.client)
    if !isCurrent {
      var next = attempt
      next.giveUp()
      steps.add("server \(server) sees that \(client) hung up") { finish(&$0, index, job, next) }
    }
    for (snapshot, isOld) in sights(world, server) {
      var next = attempt
      guard next.judge(attempt.wish.locks.map(snapshot.queue)) else { continue }
      let isLost = next.phase == .over(.lost)
      steps.add("server \(server): \(isLost ? "the entry of \(client) is gone" : "\(client) is next")", isOld: isOld) {
        finish(&$0, index, job, next)
      }
    }
    if world.isDead(server) {
      var next = attempt
      next.sessionLost()
      if next != attempt {
        steps.add("server \(server): session lost, 503 to \(client)") { finish(&$0, index, job, next) }
      }
    }
  }

  private func sendingSteps(
    _ world: World, _ index: Int, _ job: World.Job, _ attempt: Attempt, _ transaction: QueueTransaction,
    _ steps: inout Steps
  ) {
    let server = job.server
    for (lease, how) in young(world, transaction) {
      var world = world
      let outcome = run(&world, server, transaction, lease)
      var next = attempt
      next.receive(outcome, session: world.session(server))
      let isDone = if case .done = outcome { true } else { false }
      steps.add("server \(server)\(Self.result(attempt, next, isDone, job.client))\(how)") {
        $0 = world
        finish(&$0, index, job, next)
        guard isDone, case .enqueueing(_, alone: true) = attempt.phase else { return }
        let waiters = $0.etcd.snapshot.queue(attempt.wish.locks[0]).waiters
        if waiters.count > attempt.wish.maxWaiters ?? .max { $0.flaw = "QUEUE longer than max_waiters" }
      }
      guard steps.before.has(.unknown), isDone, how.isEmpty else { continue }
      var unknown = attempt
      unknown.receive(.unknown, session: world.session(server))
      switch attempt.phase {
      case .putting:
        steps.add("fault server \(server) puts \(job.client), the answer is lost", fault: .unknown) {
          let budget = $0.budget
          $0 = world
          $0.budget = budget
          finish(&$0, index, job, unknown)
        }
        steps.add("fault server \(server) puts \(job.client), which is on its way", fault: .unknown) {
          $0.etcd.leases.insert(lease)
          finish(&$0, index, job, unknown)
          $0.jobs.append(
            World.Job(
              server: server, client: job.client, attempt: job.attempt, asked: job.asked,
              work: .late(transaction, lease: lease)))
        }
      case .binding:
        steps.add("fault server \(server) re-binds \(job.client), the answer is lost", fault: .unknown) {
          let budget = $0.budget
          $0 = world
          $0.budget = budget
          finish(&$0, index, job, unknown)
        }
      case .enqueueing:
        steps.add("fault server \(server) enqueues \(job.client), the answer is lost", fault: .unknown) {
          let budget = $0.budget
          $0 = world
          $0.budget = budget
          finish(&$0, index, job, unknown)
        }
      default: break
      }
    }
  }

  /// Writes an attempt back, and what its end does to its client.
  private func finish(_ world: inout World, _ index: Int, _ job: World.Job, _ attempt: Attempt) {
    guard case .end(let ending) = attempt.step else { return world.set(index, .attempt(attempt)) }
    world.set(index, nil)
    let client = world.clients[job.client]
    guard ending == .refused || ending == .queueFull, client.doing == .asked, client.attempt == job.attempt else {
      return
    }
    world.clients[job.client].doing = .done
  }

  /// A refusal needs that there was no room at some moment since the request came.
  private func check(_ world: inout World, _ job: World.Job, _ attempt: Attempt) {
    let isFull = attempt.wish.parts.contains {
      !world.etcd.snapshot.queue($0.lock).hasRoom(for: $0.units, as: $0.kind)
    }
    // By a read that was old though it was asked for as linearizable it is late, which is accepted.
    let isLate =
      world.etcd.revision != job.asked || rules.has(.refuseFresh) && world.lag.map { $0.revision < job.asked } ?? false
    if !isFull, !isLate { world.flaw = "REFUSED though it was free all the time" }
  }

  func tell(_ world: inout World, _ client: Int, _ grant: Attempt.Grant, _ belief: World.Client.Belief) {
    // Broken after this answer was decided.
    let isVictim = world.broken.contains { $0.client == client && $0.revision > grant.stamp }
    let others = world.fences.enumerated().filter { belief == .wholeLock || $0.offset != client }.map(\.element)
    if scenario.comparesFences || belief == .wholeLock, !isVictim, grant.fence < others.max() ?? 0 {
      world.flaw = "FENCE went backwards"
    }
    if !isVictim { world.flaw = world.flaw ?? wrongTelling(world, client, grant, belief) }
    world.clients[client].doing = .has
    world.clients[client].fence = grant.fence
    world.clients[client].lease = grant.lease
    world.clients[client].believes = isVictim ? .nothing : belief
    world.fences[client] = grant.fence
  }

  /// A lease that is told of is there, and its turn has come.
  private func wrongTelling(
    _ world: World, _ client: Int, _ grant: Attempt.Grant, _ belief: World.Client.Belief
  ) -> String? {
    for part in scenario.people[client].parts {
      let queue = world.etcd.snapshot.queue(part.lock)
      let entry = belief == .units ? queue.entry("\(client)") : queue.upgrade("\(client)")
      guard let entry, entry.created == grant.fence else { return "DEAD: a client is told of a lease that is over" }
      if !queue.holds(entry) { return "ORDER: a client is told before its turn" }
    }
    return nil
  }

  private func piecemealStep(
    _ world: World, _ index: Int, _ job: World.Job, _ attempt: Attempt, _ next: Int, _ steps: inout Steps
  ) {
    let mine = world.etcd.entries.filter { $0.name == attempt.name }
    guard mine.allSatisfy({ world.etcd.snapshot.queue($0.lock).holds($0) }) else { return }
    let parts = job.client == 0 ? attempt.wish.parts : attempt.wish.parts.reversed()
    var value = attempt.wish.value
    value.units = parts[next].units
    value.session = EntryValue.thisSession
    let key = QueueKey.entry(lock: parts[next].lock, attempt.name)
    let put = QueueTransaction(if: [.created(key, 0)], then: [.put(key, .entry(value), on: .session)])
    steps.add("server \(job.server) enqueues \(job.client) on \(parts[next].lock)") {
      _ = run(&$0, job.server, put, 0)
      guard next + 1 == parts.count else { return $0.set(index, .piecemeal(attempt, next: next + 1)) }
      var waiting = attempt
      waiting.phase = .waiting(
        created: $0.etcd.revision, session: $0.session(job.server), modified: $0.etcd.revision)
      $0.set(index, .attempt(waiting))
    }
  }

  // MARK: Names

  private static func decision(_ attempt: Attempt, _ client: Int) -> String {
    switch attempt.phase {
    case .putting: ": there is room for \(client)"
    case .enqueueing(_, alone: true): ": the queue has a place for \(client)"
    case .enqueueing: ": no room for \(client), queues"
    case .over(.refused): ": 423 to \(client)"
    case .over(.queueFull): ": 423 queue-full to \(client)"
    case .looking: ": no room for \(client) in its view"
    default: ": another kind for \(client)"
    }
  }

  private static func result(_ before: Attempt, _ after: Attempt, _ isDone: Bool, _ client: Int) -> String {
    switch (before.phase, after.phase) {
    case (.putting, .granted) where isDone: " puts \(client) as granted"
    case (.enqueueing, .waiting) where isDone: " enqueues \(client)"
    case (.claiming, .waiting) where isDone: " adopts the entry of \(client)"
    case (.claiming, .granted) where isDone: " replays the grant of \(client)"
    case (.binding, .granted): " re-binds \(client)"
    case (.undoing, _): isDone ? " takes back the entry of \(client)" : ": nothing of \(client) to take back"
    case (.settling, .undoing): " settles \(client): takes it back"
    case (.settling, _): " settles \(client)"
    case (_, .granted): " replays the grant of \(client)"
    case (_, .waiting): " finds the entry of \(client)"
    case (_, .claiming(let entries, _)):
      entries[0].value.isWaiting
        ? " finds the entry of \(client) on another session" : " finds \(client) granted"
    case (_, .over): ": \(client) ends"
    default: ": the queue has changed for \(client), looks again"
    }
  }
}

extension World {
  /// Writes a job back, or forgets it.
  mutating func set(_ index: Int, _ work: Job.Work?) {
    if let work { jobs[index].work = work } else { jobs.remove(at: index) }
  }
}

extension Attempt {
  /// Ends with what the client has.
  fileprivate mutating func delivered() {
    guard case .granted = phase else { return }
    phase = .over(.granted)
  }

  /// The session has ended, and every entry that waits on it.
  fileprivate mutating func sessionLost() {
    guard case .waiting = phase, rules.has(.forget) else { return }
    phase = .over(.lost)
  }
}
