@testable import LeaseholdQueue

extension Explorer {
  func renewalSteps(
    _ world: World, _ index: Int, _ job: World.Job, _ renewal: LeaseChange, _ lease: Int64, _ steps: inout Steps
  ) {
    let (server, client) = (job.server, job.client)
    guard let transaction = renewal.transaction else {
      for (snapshot, isOld) in reads(world) {
        guard on(.renewWrite) else {
          keepAlive(world, index, job, renewal, lease, snapshot, isOld, &steps)
          continue
        }
        var next = renewal
        next.look(Sight(renewal.locks.map(snapshot.queue)))
        steps.add("server \(server) looks what to renew of \(client)", isOld: isOld) {
          finish(&$0, index, job, next, lease)
        }
      }
      return
    }
    for (young, how) in young(world, transaction) {
      var world = world
      let outcome = run(&world, server, transaction, young)
      var next = renewal
      next.receive(outcome)
      let isDone = if case .done = outcome { true } else { false }
      steps.add("server \(server)\(isDone ? " renews \(client)" : ": \(client) has changed, or had ended")\(how)") {
        $0 = world
        finish(&$0, index, job, next, lease)
      }
      guard steps.before.has(.unknown), isDone else { continue }
      steps.add("fault server \(server) renews \(client), the answer is lost\(how)", fault: .unknown) {
        let budget = $0.budget
        $0 = world
        $0.budget = budget
        let believed = $0.clients[client]
        finish(&$0, index, job, next, lease)
        let isShorter = SimulatedLease.kind(young) == .short && believed.believes != .nothing
        if !isShorter || !on(.shortClock) { $0.clients[client] = believed }
      }
    }
  }

  /// What was trusted once: a keepalive that is answered with a ttl, then a read that finds the entry.
  private func keepAlive(
    _ world: World, _ index: Int, _ job: World.Job, _ renewal: LeaseChange, _ lease: Int64, _ snapshot: Snapshot,
    _ isOld: Bool, _ steps: inout Steps
  ) {
    let isAlive = world.etcd.leases.contains(lease)
    guard isAlive || world.has(.keepBug) else { return }
    guard snapshot.queue(renewal.locks[0]).entry(renewal.name)?.lease == lease else { return }
    steps.add(
      "server \(job.server) renews \(job.client) by keepalive and read", fault: isAlive ? nil : .keepBug, isOld: isOld
    ) {
      $0.set(index, nil)
      $0.past.remove(lease)
      $0.clients[job.client].doing = .has
      $0.clients[job.client].believes = .units
    }
  }

  private func finish(
    _ world: inout World, _ index: Int, _ job: World.Job, _ renewal: LeaseChange, _ lease: Int64
  ) {
    let client = world.clients[job.client]
    let doing = client.doing == .renewing ? World.Client.Doing.has : client.doing
    switch renewal.phase {
    case .looking, .sending: return world.set(index, .renewal(renewal, lease: lease))
    case .ended:
      world.clients[job.client].doing = doing
      world.clients[job.client].believes = .nothing
    case .done(let grant):
      world.clients[job.client].doing = doing
      world.clients[job.client].lease = grant.lease
      switch client.doing {
      case .has, .upgrading, .renewing, .lowering:
        if client.believes == .nothing { world.clients[job.client].believes = .units }
      case .idle, .asked, .done: world.clients[job.client].believes = .nothing
      }
    }
    world.set(index, nil)
  }

  func upgradeSteps(
    _ world: World, _ index: Int, _ job: World.Job, _ upgrade: Upgrade, _ steps: inout Steps
  ) {
    let (server, client, lock) = (job.server, job.client, upgrade.lock)
    switch upgrade.phase {
    case .looking:
      for (snapshot, isOld) in sights(world, server) {
        var next = upgrade
        next.decide([snapshot.queue(lock)])
        guard let transaction = next.transaction else {
          steps.add("server \(server): upgrade of \(client) refused", isOld: isOld) { finish(&$0, index, job, next) }
          continue
        }
        let what = rules.has(.upEntry) ? "queues the upgrade of \(client)" : "raises the units of \(client) in place"
        steps.add("server \(server) \(what)", isOld: isOld) {
          send(&$0, index, job, next, transaction, young(world, transaction)[0].id)
        }
      }
    case .waiting:
      for (snapshot, isOld) in sights(world, server) {
        var next = upgrade
        guard next.judge([snapshot.queue(lock)]) else { continue }
        steps.add("server \(server): the upgrade of \(client) is next", isOld: isOld) { finish(&$0, index, job, next) }
      }
    case .granted(let grant):
      var next = upgrade
      guard next.answer(now: world.past.contains(grant.lease) ? 1 : 0) else {
        steps.add("server \(server): too late for the upgrade of \(client)") { finish(&$0, index, job, next) }
        return
      }
      steps.add("client \(client) is told: writer") {
        $0.set(index, nil)
        tell(&$0, client, grant, .wholeLock)
      }
    case .queueing, .binding, .undoing:
      guard let transaction = upgrade.transaction else { return }
      for (lease, how) in young(world, transaction) {
        steps.add("server \(server) binds the upgrade of \(client)\(how)") {
          send(&$0, index, job, upgrade, transaction, lease)
        }
      }
    case .over: preconditionFailure("a job that has ended is nobody's")
    }
  }

  private func send(
    _ world: inout World, _ index: Int, _ job: World.Job, _ upgrade: Upgrade, _ transaction: QueueTransaction,
    _ lease: Int64
  ) {
    var next = upgrade
    next.receive(run(&world, job.server, transaction, lease), session: world.session(job.server))
    finish(&world, index, job, next)
  }

  private func finish(_ world: inout World, _ index: Int, _ job: World.Job, _ upgrade: Upgrade) {
    guard case .over(let ending) = upgrade.phase else { return world.set(index, .upgrade(upgrade)) }
    world.set(index, nil)
    world.clients[job.client].doing = .has
    if ending == .ended {
      world.clients[job.client].believes = .nothing
    } else {
      world.clients[job.client].isReader = true
    }
  }
}
