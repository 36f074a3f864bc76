@testable import LeaseholdQueue

extension Explorer {
  func serverSteps(_ world: World, _ index: Int, _ steps: inout Steps) {
    let (server, session) = (world.servers[index], world.session(index))
    guard server.isUp else {
      if !world.isDead(index) {
        steps.add("the session of dead server \(index) ends", ends: true) { $0.etcd.end(session) }
      } else {
        steps.add("server \(index) is back") { open(&$0, index) }
      }
      return
    }
    if !scenario.isLive, !server.isSilent || on(.timer) {
      for (snapshot, isOld) in reads(world) {
        var seen = snapshot
        if !on(.oneView), server.isSilent { seen.capacities = server.view.capacities }
        steps.add("server \(index) sees the queue", isOld: isOld) { $0.servers[index].view = seen }
      }
    }
    let waits = world.jobs.contains {
      guard $0.server == index, case .attempt(let attempt) = $0.work, case .waiting = attempt.phase else {
        return false
      }
      return rules.has(.forget)
    }
    if world.isDead(index), !waits {
      steps.add("server \(index) opens another session") {
        $0.servers[index].epoch += 1
        $0.etcd.leases.insert($0.session(index))
      }
    }
    reconcile(world, index, &steps)
    if world.has(.crash) {
      steps.add("fault server \(index) crashes", fault: .crash) { crash(&$0, index) }
    }
    if world.has(.silent), !server.isSilent {
      steps.add("fault the watch of server \(index) goes silent", fault: .silent) {
        $0.servers[index].isSilent = true
      }
    }
    if !world.isDead(index), world.has(.session) {
      steps.add("fault the session of server \(index) ends", fault: .session, ends: true) { $0.etcd.end(session) }
    }
  }

  private func open(_ world: inout World, _ index: Int) {
    world.servers[index] = World.Server(epoch: world.servers[index].epoch + 1, view: world.etcd.snapshot)
    world.etcd.leases.insert(world.session(index))
  }

  private func reconcile(_ world: World, _ index: Int, _ steps: inout Steps) {
    let known = Set(world.jobs.lazy.filter { $0.server == index && $0.isServing }.map { "\($0.client)" })
    let session = world.session(index)
    for (snapshot, isOld) in reads(world) {
      let transactions = Upkeep.reconcile(snapshot.entries, session: session, known: known, rules: rules)
      guard !transactions.isEmpty else { continue }
      steps.add("server \(index) deletes what its table does not know", isOld: isOld) { next in
        for transaction in transactions {
          let before = next
          guard case .done = next.etcd.run(transaction, session: session) else {
            next = before
            continue
          }
        }
      }
    }
  }

  private func crash(_ world: inout World, _ index: Int) {
    world.servers[index].isUp = false
    world.servers[index].view = Snapshot(revision: 0, entries: [], capacities: world.etcd.capacities)
    for job in world.jobs where job.server == index {
      guard case .upgrade = job.work else { continue }
      // Who lost the answer asks again, as after any lost answer; who still waited need not.
      world.clients[job.client].doing = .has
      if !job.isAnswering { world.clients[job.client].isReader = true }
    }
    world.jobs.removeAll { $0.server == index }
  }

  func leaseSteps(_ world: World, _ steps: inout Steps) {
    for lease in world.etcd.leases.sorted() {
      guard let kind = SimulatedLease.kind(lease), kind != .session, kind != .marker else { continue }
      if kind == .ended {
        steps.add("etcd ends the cooldown", ends: true) { $0.etcd.end(lease) }
        continue
      }
      let holders = world.clients.indices.filter {
        world.clients[$0].lease == lease && world.clients[$0].believes != .nothing
      }
      let first = earlier(world, lease, kind)
      if world.has(.clock), !world.past.contains(lease), first.isEmpty {
        steps.add("fault the deadline of a lease passes", fault: .clock) { next in
          next.past.insert(lease)
          if on(.ownDeadline) { for index in holders { next.clients[index].believes = .nothing } }
        }
      }
      end(world, lease, holders, first, &steps)
      if world.has(.breaks) { breaks(world, lease, &steps) }
    }
  }

  /// Leases that were granted before, for no longer.
  ///
  /// They end before it: while one counts, so does this one.
  private func earlier(_ world: World, _ lease: Int64, _ kind: SimulatedLease.Kind) -> Set<Int64> {
    world.etcd.leases.filter { other in
      guard let earlier = SimulatedLease.kind(other), [.short, .usual, .long].contains(earlier) else { return false }
      return !world.past.contains(other) && SimulatedLease.number(other) < SimulatedLease.number(lease)
        && earlier.rawValue <= kind.rawValue
    }
  }

  private func end(
    _ world: World, _ lease: Int64, _ holders: [Int], _ first: Set<Int64>, _ steps: inout Steps
  ) {
    let told = Set(world.jobs.filter(\.isAnswering).compactMap(\.lease))
    let on = Set(world.etcd.entries.lazy.filter { $0.lease == lease }.map(\.name))
    let counts = first.contains { other in
      world.jobs.contains { $0.isAnswering && $0.lease == other && on.contains("\($0.client)") }
        || world.clients.indices.contains {
          on.contains("\($0)") && world.clients[$0].believes != .nothing && world.clients[$0].lease == other
        }
    }
    let marker = SimulatedLease.id(.marker, SimulatedLease.number(lease))
    if world.past.contains(lease), world.etcd.leases.contains(marker) {
      steps.add("etcd ends the marker") { $0.etcd.leases.remove(marker) }
    } else if world.past.contains(lease) || holders.isEmpty && !told.contains(lease) && !counts {
      steps.add("etcd ends a lease", ends: true) { $0.etcd.end(lease) }
    }
  }

  private func breaks(_ world: World, _ lease: Int64, _ steps: inout Steps) {
    for name in Set(world.etcd.entries.filter { $0.lease == lease }.map(\.name)).sorted() {
      guard let index = Int(name) else { continue }
      let mine = world.etcd.entries.filter { $0.lease == lease && $0.name == name }
      let entries = mine.filter { !$0.isUpgrade }
      let end = EndValue(reason: "broken", by: "operator")
      guard !entries.isEmpty else { continue }
      let later = Break.later(entries, upgrade: mine.first(where: \.isUpgrade), end, grace: 0)
      let cooling = SimulatedLease.id(.ended, SimulatedLease.number(lease) + 1_000)
      for (what, transaction) in [("", Break.now(entries, end)), (", with a cooldown", later)] {
        steps.add("fault an operator breaks \(index)\(what)", fault: .breaks) { next in
          if !what.isEmpty { next.etcd.leases.insert(cooling) }
          _ = next.etcd.run(transaction, session: 0, young: cooling)
          next.clients[index].believes = .nothing
          next.broken.append(World.Broken(client: index, revision: next.etcd.revision))
        }
      }
    }
  }
}
