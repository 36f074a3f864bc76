@testable import LeaseholdQueue

extension Explorer {
  /// Begins a job for a client.
  private func begin(_ world: inout World, _ client: Int, on server: Int, _ work: World.Job.Work) {
    world.jobs.append(
      World.Job(
        server: server, client: client, attempt: world.clients[client].attempt, asked: world.etcd.revision,
        work: work))
  }

  /// Begins an attempt to acquire.
  private func ask(_ world: inout World, _ client: Int, on server: Int) {
    world.clients[client].doing = .asked
    world.clients[client].server = server
    world.clients[client].attempt += 1
    let person = scenario.people[client]
    var value = EntryValue(units: 0, ttl: 2, mark: UInt64(client * 10 + world.clients[client].attempt))
    value.cooldown = scenario.hasCooldown ? 10 : 0
    var wish = Wish(
      "\(client)",
      person.parts.map { .init($0.lock, units: $0.units, kind: .counting(limit: scenario.capacity)) }, value: value)
    wish.waits = person.kind != .tries
    if person.kind == .max { wish.maxWaiters = 1 }
    let isFirst = world.clients[client].attempt == 1
    let looks = person.kind == .fast || isFirst && (person.kind == .tries || person.kind == .max)
    if person.kind == .max { wish.value.ttl = 2 }
    let seen = wish.locks.map { Attempt.Seen(world.etcd.snapshot.queue($0)) }
    let phase: Attempt.Phase = looks ? .looking(isFresh: false) : .enqueueing(seen: seen, alone: false)
    let attempt = Attempt(wish, phase, rules)
    let isPiecemeal = person.kind == .multi && !on(.oneTransaction)
    begin(&world, client, on: server, isPiecemeal ? .piecemeal(attempt, next: 0) : .attempt(attempt))
  }

  func clientSteps(_ world: World, _ index: Int, _ steps: inout Steps) {
    let client = world.clients[index]
    switch client.doing {
    case .idle:
      let server = index % scenario.servers
      guard world.servers[server].isUp else { return }
      if scenario.people[index].kind == .tries, scenario.people[0].kind == .wait {
        // Asks after the other has released.
        guard world.clients[0].doing == .done, !world.jobs.contains(where: { $0.client == 0 }) else { return }
      }
      steps.add("client \(index) asks server \(server)") { ask(&$0, index, on: server) }
    case .asked: askedSteps(world, index, &steps)
    case .has: holderSteps(world, index, &steps)
    case .lowering: loweringSteps(world, index, &steps)
    case .renewing:
      guard !world.jobs.contains(where: { $0.client == index && $0.isRenewal }) else { return }
      // Its answer is lost, or the server died. It goes on by the deadline that it has.
      steps.add("client \(index) goes on without an answer") { $0.clients[index].doing = .has }
    case .upgrading, .done: break
    }
  }

  private func askedSteps(_ world: World, _ index: Int, _ steps: inout Steps) {
    let client = world.clients[index]
    let attempts = index == 0 ? scenario.attempts : 1
    let isServed = world.jobs.contains {
      $0.client == index && $0.attempt == client.attempt && !$0.isUndoing
    }
    if !isServed {
      guard client.attempt < attempts else {
        steps.add("client \(index) gives up") { $0.clients[index].doing = .done }
        return
      }
      for server in world.servers.indices where world.servers[server].isUp {
        steps.add("client \(index) asks again, server \(server)") { ask(&$0, index, on: server) }
      }
    } else if world.has(.impatient), client.attempt < attempts {
      for server in world.servers.indices where server != client.server && world.servers[server].isUp {
        steps.add("fault client \(index) loses its connection, asks server \(server)", fault: .impatient) {
          ask(&$0, index, on: server)
        }
      }
    }
  }

  private func holderSteps(_ world: World, _ index: Int, _ steps: inout Steps) {
    let client = world.clients[index]
    guard client.believes != .nothing else {
      steps.add("client \(index) is over") { $0.clients[index].doing = .done }
      return
    }
    guard let server = world.servers.firstIndex(where: \.isUp) else { return }
    let (name, person) = ("\(index)", scenario.people[index])
    let locks = person.parts.map(\.lock)
    if !(scenario.keeps && index == 0 && client.believes == .units) {
      for (snapshot, isOld) in reads(world) {
        var release = LeaseChange(name, locks, .release(EndValue(reason: "released")), rules: rules)
        release.look(Sight(locks.map(snapshot.queue), isInTime: world.etcd.isInTime(name)))
        steps.add("client \(index) releases", isOld: isOld) {
          $0.clients[index].doing = .done
          $0.clients[index].believes = .nothing
          if release.transaction != nil { begin(&$0, index, on: server, .release(release)) }
        }
      }
    }
    if person.kind == .upgrade, client.believes == .units, !client.isReader {
      steps.add("client \(index) asks for the writer's lease") {
        $0.clients[index].doing = .upgrading
        begin(&$0, index, on: server, .upgrade(Upgrade(name, of: locks[0], mark: UInt64(index), rules: rules)))
      }
    }
    let renewals: [(fault: Fault, what: String, ttl: Int64?)] = [
      (.renew, "", nil), (.newTTL, " with a shorter ttl", 1), (.longer, " with a longer ttl", 3),
    ]
    for (fault, what, ttl) in renewals
    where world.has(fault) && (ttl == nil || SimulatedLease.kind(client.lease) == .usual) {
      steps.add("client \(index) renews\(what)", fault: fault) {
        $0.clients[index].doing = .renewing
        let renewal = LeaseChange(name, locks, .renew(fence: client.fence, ttl: ttl), rules: rules)
        begin(&$0, index, on: server, .renewal(renewal, lease: client.lease))
      }
    }
    if world.has(.down), client.believes == .wholeLock {
      for (snapshot, isOld) in reads(world) {
        var lowering = LeaseChange(name, [locks[0]], .lower)
        lowering.look(Sight([snapshot.queue(locks[0])]))
        steps.add("client \(index) goes down to reader", fault: .down, isOld: isOld) {
          $0.clients[index].doing = .lowering
          $0.clients[index].believes = .units
          begin(&$0, index, on: server, .lowering(lowering))
        }
      }
    }
  }

  private func loweringSteps(_ world: World, _ index: Int, _ steps: inout Steps) {
    let mine = world.jobs.filter { $0.client == index }
    if !mine.contains(where: { if case .lowering = $0.work { true } else { false } }) {
      steps.add("client \(index) is a reader again") { $0.clients[index].doing = .has }
    }
    if world.has(.renew), !mine.contains(where: \.isRenewal), world.servers[0].isUp {
      let client = world.clients[index]
      let locks = scenario.people[index].parts.map(\.lock)
      steps.add("client \(index) renews meanwhile", fault: .renew) {
        let renewal = LeaseChange("\(index)", locks, .renew(fence: client.fence), rules: rules)
        begin(&$0, index, on: 0, .renewal(renewal, lease: client.lease))
      }
    }
  }
}

extension World.Job {
  var isRenewal: Bool { if case .renewal = work { true } else { false } }
  var isUndoing: Bool {
    if case .attempt(let attempt) = work, case .undoing = attempt.phase { true } else { false }
  }
}
