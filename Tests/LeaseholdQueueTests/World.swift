@testable import LeaseholdQueue

/// Servers, clients and the store at one moment; ``steps`` are all that may happen next.
struct World: Hashable {
  struct Server: Hashable {
    var isUp = true
    var epoch: Int64 = 0
    var view: Snapshot
    var isSilent = false
  }

  /// What a client believes, and does.
  struct Client: Hashable {
    enum Doing: Hashable { case idle, asked, has, upgrading, renewing, lowering, done }
    /// What it works with.
    enum Belief: Int, Hashable { case nothing, units, wholeLock }
    var doing = Doing.idle
    var attempt = 0
    var server = 0
    /// It does not ask for the writer's lease again.
    var isReader = false
    var fence: Int64 = 0
    var lease: Int64 = 0
    var believes = Belief.nothing
  }

  /// What a server does for a client.
  struct Job: Hashable {
    enum Work: Hashable {
      case attempt(Attempt)
      /// Takes one lock after the other; what must not be.
      case piecemeal(Attempt, next: Int)
      case renewal(LeaseChange, lease: Int64)
      case release(LeaseChange)
      case upgrade(Upgrade)
      case lowering(LeaseChange)
      /// A transaction that is still on its way.
      case late(QueueTransaction, lease: Int64)
    }
    let server: Int
    let client: Int
    let attempt: Int
    /// The revision when it was asked for.
    let asked: Int64
    var work: Work
  }

  struct Broken: Hashable {
    let client: Int
    let revision: Int64
  }

  var etcd = SimulatedEtcd()
  var servers: [Server] = []
  var jobs: [Job] = []
  var clients: [Client] = []
  var budget: [Fault: Int] = [:]
  /// The fences that clients were told; 0 for none.
  var fences: [Int64] = []
  var broken: [Broken] = []
  /// Leases whose deadline has passed.
  var past: Set<Int64> = []
  /// What a member that fell behind still shows.
  var lag: Snapshot?
  var flaw: String?

  init(_ scenario: Scenario) {
    etcd.capacities = scenario.locks.map { .init(lock: $0, units: scenario.capacity, modified: 1) }
    servers = Array(repeating: Server(view: etcd.snapshot), count: scenario.servers)
    for server in 0..<scenario.servers { etcd.leases.insert(session(server)) }
    clients = Array(repeating: Client(), count: scenario.people.count)
    fences = Array(repeating: 0, count: scenario.people.count)
    budget = scenario.faults
  }

  func session(_ server: Int) -> Int64 { SimulatedLease.session(of: server, servers[server].epoch) }
  func has(_ fault: Fault) -> Bool { budget[fault, default: 0] > 0 }
  mutating func spend(_ fault: Fault) { budget[fault, default: 0] -= 1 }
  func isDead(_ server: Int) -> Bool { !etcd.leases.contains(session(server)) }

  /// Forgets leases that nobody can see any more.
  mutating func tidy() {
    var seen = Set(servers.indices.map(session))
    for entry in etcd.entries + (lag?.entries ?? []) {
      seen.insert(entry.lease)
      seen.insert(SimulatedLease.id(.marker, SimulatedLease.number(entry.lease)))
    }
    for client in clients where client.believes != .nothing { seen.insert(client.lease) }
    for job in jobs { if let lease = job.lease { seen.insert(lease) } }
    etcd.leases.formIntersection(seen)
    past.formIntersection(seen)
  }

  /// The number of the next lease.
  var nextLease: Int64 {
    var idMax: Int64 = 0
    for lease in etcd.leases where SimulatedLease.kind(lease) != .session {
      idMax = max(idMax, SimulatedLease.number(lease))
    }
    for lease in jobs.compactMap(\.lease) + clients.filter({ $0.believes != .nothing }).map(\.lease)
    where SimulatedLease.kind(lease) != .session {
      idMax = max(idMax, SimulatedLease.number(lease))
    }
    return idMax + 1
  }
}

extension World.Job {
  /// The lease that it will tell of.
  var lease: Int64? {
    switch work {
    case .attempt(let attempt): if case .granted(let grant) = attempt.phase { grant.lease } else { nil }
    case .upgrade(let upgrade): if case .granted(let grant) = upgrade.phase { grant.lease } else { nil }
    case .late(_, let lease), .renewal(_, let lease): lease
    case .piecemeal, .release, .lowering: nil
    }
  }

  /// True for a job that has entries in its hands.
  var isServing: Bool {
    switch work {
    case .attempt(let attempt):
      switch attempt.phase {
      case .enqueueing, .claiming, .waiting, .binding, .undoing: true
      default: false
      }
    case .upgrade, .piecemeal: true
    default: false
    }
  }

  /// True where it is about to tell of a lease.
  var isAnswering: Bool {
    switch work {
    case .attempt(let attempt): if case .granted = attempt.phase { true } else { false }
    case .upgrade(let upgrade): if case .granted = upgrade.phase { true } else { false }
    default: false
    }
  }
}

/// A step from one world to the next.
struct Step {
  /// Empty where nobody wants to know.
  var name: String
  var isFault = false
  /// True where it needs a read that does not tell the truth.
  var isOld = false
  var world: World
}

/// Finds the steps of worlds, and what must never be.
struct Explorer {
  let scenario: Scenario
  var rules = Rules.all
  var dropped: OuterRule?
  /// False to leave the names of steps out, which is faster.
  var names = true

  func on(_ rule: OuterRule) -> Bool { dropped != rule }

  // MARK: What must never be

  func flaw(_ world: World) -> String? {
    for capacity in world.etcd.capacities {
      let lock = capacity.lock
      var total = 0
      for (index, client) in world.clients.enumerated() where client.believes != .nothing {
        guard let part = scenario.people[index].parts.first(where: { $0.lock == lock }) else { continue }
        total += client.believes == .units ? part.units : capacity.units
      }
      let queue = world.etcd.snapshot.queue(lock)
      total += queue.entries.filter { $0.name == "blocker" && queue.holds($0) }.reduce(0) { $0 + $1.value.units }
      if total > capacity.units { return "CAPACITY of \(lock): \(total) units believed of \(capacity.units)" }
    }
    return world.flaw
  }

  /// Somebody waits, or something stays, and nothing but a fault could help.
  func stuck(_ world: World, _ steps: [Step]) -> String? {
    guard steps.allSatisfy({ $0.isFault || $0.isOld }) else { return nil }
    if world.clients.contains(where: { $0.doing == .asked || $0.doing == .upgrading }) {
      return "STUCK: a client waits for ever"
    }
    let sessions = world.servers.indices.filter { world.servers[$0].isUp }.map(world.session)
    if world.etcd.entries.contains(where: { sessions.contains($0.lease) }) {
      return "STUCK: an entry that nobody serves stays on a living session"
    }
    return nil
  }

  // MARK: Steps

  /// A list of steps in the making.
  struct Steps {
    let before: World
    let names: Bool
    var list: [Step] = []

    /// Adds what a change makes of the world.
    mutating func add(
      _ name: @autoclosure () -> String, fault: Fault? = nil, isFault: Bool = false, isOld: Bool = false,
      ends: Bool = false, _ change: (inout World) -> Void
    ) {
      var world = before
      if let fault { world.spend(fault) }
      change(&world)
      if !ends { Self.checkEnded(before, &world) }
      world.tidy()
      guard world != before else { return }
      list.append(
        Step(
          name: names ? name() + (isOld ? " (old read)" : "") : "", isFault: fault != nil || isFault, isOld: isOld,
          world: world))
    }

    /// Compares what operators have ended with what became of it.
    private static func checkEnded(_ before: World, _ world: inout World) {
      for entry in before.etcd.entries where SimulatedLease.kind(entry.lease) == .ended {
        guard let now = world.etcd.entries.first(where: { $0.name == entry.name && $0.isUpgrade == entry.isUpgrade })
        else {
          world.flaw = "COOLDOWN of a broken lease cut short"
          continue
        }
        if SimulatedLease.kind(now.lease) != .ended { world.flaw = "BREAK undone: a broken lease lives on" }
      }
    }
  }

  func steps(_ world: World) -> [Step] {
    var steps = Steps(before: world, names: names)
    for index in world.clients.indices { clientSteps(world, index, &steps) }
    for (index, job) in world.jobs.enumerated() where world.servers[job.server].isUp {
      jobSteps(world, index, job, &steps)
    }
    for index in world.servers.indices { serverSteps(world, index, &steps) }
    leaseSteps(world, &steps)
    operatorSteps(world, &steps)
    return steps.list
  }

  /// What a read may show, linearizable or not.
  func reads(_ world: World) -> [(snapshot: Snapshot, isOld: Bool)] {
    let now = (world.etcd.snapshot, false)
    guard let lag = world.lag, lag.revision < world.etcd.revision else { return [now] }
    return [now, (lag, true)]
  }

  /// What a server may have in its view.
  func sights(_ world: World, _ server: Int) -> [(snapshot: Snapshot, isOld: Bool)] {
    scenario.isLive ? reads(world) : [(world.servers[server].view, false)]
  }

  private func operatorSteps(_ world: World, _ steps: inout Steps) {
    if world.has(.lag), !world.etcd.entries.isEmpty {
      steps.add("fault a member falls behind", fault: .lag) { $0.lag = $0.etcd.snapshot }
    }
    guard scenario.faults[.shrink] != nil, let capacity = world.etcd.capacities.first, capacity.units > 1 else {
      return
    }
    let queue = world.etcd.snapshot.queue(capacity.lock)
    if let finish = queue.shrunk {
      steps.add("operator: the blocker is held, the smaller capacity is written") {
        _ = $0.etcd.run(finish, session: 0)
      }
    }
    if world.has(.shrink) {
      steps.add("operator shrinks", fault: .shrink) {
        _ = $0.etcd.run(queue.shrinking(to: capacity.units - 1, by: "blocker", rules: rules), session: 0)
      }
    }
  }
}
