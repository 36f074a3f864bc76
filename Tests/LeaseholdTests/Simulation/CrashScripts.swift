import Leasehold
import LeaseholdTestKit

/// A short story that is told once for every step at which the daemon can die in it.
struct CrashScript: Sendable, CustomStringConvertible {
  let description: String
  var limits = Limits()
  var records = 64
  /// Recoveries are crashed too, at every such many steps.
  var stride = 1
  /// What happens before the daemon is in danger.
  var before: @Sendable (Scene) -> Void = { _ in }
  let steps: [@Sendable (Scene) -> Void]

  static let long = String(repeating: "long", count: 50)

  static let newest = HolderRemarks(note: nil, newest: "web")

  static var small: Limits {
    var limits = Limits()
    limits.tombstones = 2
    limits.idleLocks = .seconds(1)
    return limits
  }

  static let all = [
    CrashScript(
      description: "a lease is granted, renewed and released",
      steps: [{ $0.acquire("ann") }, { $0.renew("ann", ttl: .seconds(60)) }, { $0.release("ann") }]),
    CrashScript(
      description: "long names and texts, and a retry",
      steps: [
        {
          $0.acquire("ann", long) {
            $0.owner = long.prefix(120).description; $0.idempotencyKey = long
          }
        },
        {
          $0.acquire("ann", long) {
            $0.owner = long.prefix(120).description; $0.idempotencyKey = long
          }
        },
        { $0.release("ann") }, { $0.acquire("bob", long) { $0.owner = "bob" } }, { $0.release("bob") },
      ]),
    CrashScript(
      description: "a queue moves on",
      steps: [
        { $0.acquire("ann") }, { $0.queue("bob") }, { $0.queue("cat") { $0.mode = .shared } },
        { $0.queue("dan") { $0.mode = .shared } }, { $0.release("ann") }, { $0.release("bob") },
      ]),
    CrashScript(
      description: "a lease expires, cools down and makes room",
      steps: [
        {
          $0.acquire("ann") {
            $0.ttl = .seconds(1); $0.cooldown = .seconds(2)
          }
        }, { $0.queue("bob") },
        { $0.pass(.seconds(2)) }, { $0.pass(.seconds(3)) },
      ]),
    CrashScript(
      description: "a lease that is to hold for some time at least is released, and so is one of several that is bound",
      steps: [
        { $0.acquire("ann") { $0.holdAtLeast = .seconds(5) } }, { $0.queue("bob") }, { $0.release("ann") },
        { $0.release("ann") }, { $0.pass(.seconds(6)) }, { $0.release("bob") },
        {
          $0.acquire("cat", several: ["a", "b"]) {
            $0[0].bindsConnection = true; $0[0].holdAtLeast = .seconds(9)
          }
        },
        { $0.release("cat") }, { $0.pass(.seconds(4)) }, { $0.release("cat", early: true) }, { $0.acquire("dan", "b") },
      ]),
    CrashScript(
      description: "locks are added to a lease, to one that has several, and to one that was handed over",
      steps: [
        { $0.acquire("ann") }, { $0.add("ann", ["b", "c"]) }, { $0.acquire("bob", "d") },
        { $0.add("ann", ["d", "e"]) },
        { $0.release("bob") }, { $0.transfer("ann", to: "cat") }, { $0.add("cat", ["d"]) },
        { $0.convert("cat", "b", to: .shared) }, { $0.release("cat") },
      ]),
    CrashScript(
      description: "newer ones of a group end those that wait, and the holder is asked to yield",
      steps: [
        { $0.acquire("ann") { $0.remarks = newest } }, { $0.queue("bob") { $0.remarks = newest } },
        { $0.queue("cat") }, { $0.queue("dan") { ($0.remarks, $0.idempotencyKey) = (newest, "k") } },
        { $0.acquire("eve", several: ["a", "b"]) { ($0[0].remarks, $0[0].wait) = (newest, .seconds(600)) } },
        { $0.release("ann") },
        { $0.release("cat") }, { $0.release("eve") },
      ]),
    CrashScript(
      description: "what is kept is given up by an operator",
      steps: [
        { $0.acquire("ann") { ($0.ttl, $0.holdAtLeast) = (.seconds(1), .seconds(9)) } }, { $0.pass(.seconds(2)) },
        { $0.queue("bob") }, { $0.breaks("ann") }, { $0.breaks("bob") },
      ]),
    CrashScript(
      description: "an idle lock changes its kind and is collected", limits: small,
      steps: [
        {
          $0.acquire("ann") {
            $0.limit = 3; $0.count = 2
          }
        }, { $0.release("ann") },
        { $0.acquire("bob") { $0.limit = 5 } }, { $0.release("bob") }, { $0.acquire("cat") }, { $0.release("cat") },
        {
          $0.pass(.seconds(2)); $0.keepHouse()
        },
      ]),
    CrashScript(
      description: "a waiter gets what a native process lets go",
      steps: [
        { $0.acquire("ann") { $0.limit = 2 } }, { $0.nativeTakes(1) }, { $0.queue("bob") { $0.limit = 2 } },
        { $0.nativeGives(1) }, { $0.release("ann") }, { $0.release("bob") },
      ]),
    CrashScript(
      description: "a set is removed under leases and waiters", limits: small,
      steps: [
        { $0.acquire("ann") }, { $0.queue("bob") }, { $0.acquire("cat", "b") { $0.limit = 2 } },
        {
          $0.removeSet(of: "a"); $0.keepHouse()
        }, { $0.release("bob") },
      ]),
    CrashScript(
      description: "a lock is removed by force",
      steps: [
        { $0.acquire("ann") { $0.mode = .shared } }, { $0.acquire("bob") { $0.mode = .shared } }, { $0.queue("cat") },
        { $0.remove(force: true) }, { $0.acquire("dan") },
      ]),
    CrashScript(
      description: "ends are forgotten to make room", limits: small, records: 5,
      steps: [
        { $0.acquire("ann") }, { $0.release("ann") }, { $0.acquire("bob") }, { $0.release("bob") },
        { $0.acquire("cat") }, { $0.release("cat") }, { $0.acquire("dan", "b") }, { $0.acquire("eve", "c") },
      ]),
    CrashScript(
      description: "a connection closes with what is bound to it",
      steps: [
        {
          $0.acquire("ann") {
            $0.bindsConnection = true; $0.ttl = .zero
          }
        }, { $0.queue("bob") },
        { scene in
          scene.history.letGo { $0.bindsConnection }
          scene.ledger.withdraw(.connection(1), at: scene.daemon.moment)
          scene.hear()
        },
      ]),
    CrashScript(
      description: "several locks are taken, waited for and given back",
      steps: [
        { $0.acquire("ann", several: ["a", "b"]) },
        { $0.acquire("bob", several: ["b", "c"]) { $0[0].wait = .seconds(60) } },
        { $0.queue("cat", "c") }, { $0.release("ann") }, { $0.release("bob") }, { $0.release("cat") },
      ]),
    CrashScript(
      description: "several locks in two sets", limits: small, records: 160, stride: 29,
      before: { scene in for number in 0..<63 { scene.acquire("\(number)", "lock \(number)") } },
      steps: [
        { $0.acquire("ann", several: ["a", "b", "c"]) { $0[1].mode = .shared } },
        { $0.acquire("bob", several: ["b", "d"]) { $0[0].wait = .seconds(60) } }, { $0.release("ann") },
        { $0.release("bob") },
      ]),
    CrashScript(
      description: "a reader becomes a writer and a reader again",
      steps: [
        { $0.acquire("ann") { $0.mode = .shared } }, { $0.convert("ann", to: .exclusive) },
        { $0.convert("ann", to: .shared) }, { $0.acquire("bob") { $0.mode = .shared } },
        { $0.convert("ann", to: .exclusive, for: .seconds(60)) }, { $0.release("bob") }, { $0.release("ann") },
      ]),
    CrashScript(
      description: "several locks are handed over",
      steps: [
        { $0.acquire("ann", several: ["a", "b"]) { $0[1].mode = .shared } },
        { $0.transfer("ann", to: "eve", owner: "eve") }, { $0.convert("eve", "b", to: .exclusive) },
        { $0.release("eve") },
      ]),
    CrashScript(
      description: "a part of a lease is converted while a native process is in the way",
      steps: [
        { $0.acquire("ann", several: ["a", "b"]) { $0[1].mode = .shared } }, { $0.nativeTakes(1, "b") },
        { $0.convert("ann", "b", to: .exclusive, for: .seconds(60)) }, { $0.nativeGives(1, "b") },
        { $0.release("ann") },
      ]),
    CrashScript(
      description: "a process ends with what is bound to it",
      steps: [
        { scene in
          scene.acquire("ann") {
            $0.process = ProcessBinding(scene.daemon.processes.run(7), name: 7)
            $0.ttl = .zero
            $0.owner = "ann"
          }
        }, { $0.queue("bob") },
        { scene in
          scene.history.letGo { $0.process == 7 }
          scene.daemon.endProcess(7)
          scene.hear()
        },
      ]),
    CrashScript(
      description: "a process is stopped at the deadline, and its slots go on when it is over",
      steps: [
        { scene in
          scene.acquire("ann") {
            ($0.process, $0.ttl) = (ProcessBinding(scene.daemon.processes.run(7), name: 7), .seconds(10))
            $0.process = $0.process?.stopping(after: .seconds(1))
          }
        }, { $0.queue("bob") }, { $0.pass(.seconds(9)) }, { $0.pass(.seconds(1)) }, { $0.pass(.seconds(2)) },
        { $0.pass(.seconds(40)) },
      ]),
    CrashScript(
      description: "a stop of one on several locks is called off by a renewal, and an operator begins another",
      before: { $0.daemon.processes.unkillable = [7] },
      steps: [
        { scene in
          scene.acquire("ann", several: ["a", "b"]) {
            ($0[0].process, $0[0].ttl) = (ProcessBinding(scene.daemon.processes.run(7), name: 7), .seconds(10))
            $0[0].process = $0[0].process?.stopping(after: .seconds(1))
            $0[1].mode = .shared
          }
        }, { $0.queue("bob", "b") }, { $0.pass(.seconds(9)) }, { $0.renew("ann") },
        { $0.breaks("ann", after: .seconds(2)) }, { $0.pass(.seconds(1)) }, { $0.pass(.seconds(1)) },
        { $0.pass(.seconds(40)) },
        { scene in
          scene.history.letGo { $0.process == 7 }
          scene.daemon.endProcess(7)
          scene.hear()
        },
      ]),
    CrashScript(
      description: "an operator kills at once, and the process takes its time to end",
      before: { $0.daemon.processes.unkillable = [7] },
      steps: [
        { scene in
          scene.acquire("ann") {
            ($0.process, $0.ttl) = (ProcessBinding(scene.daemon.processes.run(7), name: 7), .zero)
            $0.process = $0.process?.stopping(after: .seconds(1))
            $0.mode = .shared
          }
        }, { $0.convert("ann", to: .exclusive) }, { $0.queue("bob") }, { $0.breaks("ann") }, { $0.pass(.seconds(31)) },
        { scene in
          scene.history.letGo { $0.process == 7 }
          scene.daemon.endProcess(7)
          scene.hear()
        },
      ]),
    CrashScript(
      description: "a cgroup is empty, with leases on one lock and on several",
      steps: [
        { scene in
          let cgroup = ProcessBinding(
            scene.daemon.processes.run(ProcessBinding.cgroup), name: ProcessBinding.cgroup)
          scene.acquire("ann") { ($0.process, $0.ttl) = (cgroup, .zero) }
          scene.acquire("eve", several: ["b", "c"]) { ($0[0].process, $0[0].ttl) = (cgroup, .zero) }
        }, { $0.queue("bob") }, { $0.queue("cat", "c") },
        { scene in
          scene.history.letGo { $0.process == ProcessBinding.cgroup }
          scene.daemon.endProcess(ProcessBinding.cgroup)
          scene.hear()
        },
      ]),
    CrashScript(
      description: "an operator ends a lease after a grace, and another at once",
      steps: [
        {
          $0.acquire("ann") {
            $0.cooldown = .seconds(1)
          }
        }, { $0.queue("bob") }, { $0.breaks("ann", after: .seconds(1)) }, { $0.pass(.seconds(2)) },
        { $0.pass(.seconds(2)) }, { $0.breaks("bob") },
      ]),
    CrashScript(
      description: "a lease is bound to a connection, and to another one after a restart",
      steps: [
        { $0.acquire("ann") { $0.ttl = .seconds(2) } }, { $0.queue("bob") }, { $0.attach("ann") },
        { $0.pass(.seconds(3)) }, { $0.attach("ann", to: 6, ttl: .seconds(9)) }, { $0.renew("ann", ttl: .seconds(4)) },
        { scene in
          scene.history.letGo { $0.bindsConnection }
          scene.ledger.withdraw(.connection(6), at: scene.daemon.moment)
          scene.hear()
        },
      ]),
    CrashScript(
      description: "what an Idempotency-Key got and waits for is taken back",
      steps: [
        { $0.acquire("ann") { $0.idempotencyKey = "key" } }, { $0.queue("bob") { $0.idempotencyKey = "other" } },
        { $0.acquire("ann too", several: ["b", "c"]) { $0[0].idempotencyKey = "key" } }, { $0.queue("cat", "b") },
        { $0.takeBack("other", of: "bob") },
        { scene in
          scene.history.letGo { _ in true }
          scene.takeBack("key", of: "ann")
        },
      ]),
    CrashScript(
      description: "a lease goes on under another id",
      steps: [
        { $0.acquire("ann", long) { $0.owner = "ann" } }, { $0.queue("bob", long) },
        { $0.transfer("ann", to: "eve", owner: String(repeating: "eve", count: 40)) }, { $0.release("eve") },
      ]),
    CrashScript(
      description: "a limit goes down, up and up again while leases stand", limits: small,
      steps: [
        {
          $0.acquire("ann") {
            ($0.limit, $0.count) = (4, 2)
          }
        }, { $0.acquire("bob") { $0.limit = 4 } },
        {
          $0.queue("cat") {
            ($0.limit, $0.count) = (4, 2)
          }
        }, { $0.resize(2, isPinned: true) }, { $0.release("bob") }, { $0.resize(6, isPinned: true) },
        { $0.resize(0) }, { $0.queue("dan") { $0.limit = 9 } }, { $0.release("ann") }, { $0.resize(1) },
        { $0.resize(3) }, { $0.remove(force: true) },
      ]),
    CrashScript(
      description: "slots have names, are asked for, and get others", records: 96,
      steps: [
        { $0.acquire("ann") { $0.wantSlots(["x", "y", long.prefix(60).description]) } },
        {
          $0.acquire("bob") {
            $0.wantSlots(["x", "y", long.prefix(60).description], ["y"])
            $0.owner = "bob, in words"
          }
        },
        { $0.queue("cat") { $0.wantSlots(["x", "y", long.prefix(60).description], ["x"]) } },
        { $0.queue("dan") { $0.wantSlots(["x", "y", long.prefix(60).description]) } },
        { $0.resize(4, isPinned: true, names: ["y", "z", "v", "x"]) }, { $0.transfer("bob", to: "eve", owner: "eve") },
        { $0.release("ann") }, { $0.resize(1, isPinned: true, names: ["w"]) }, { $0.release("eve") },
        { $0.release("dan") }, { $0.resize(0) }, { $0.release("cat") },
        { $0.resize(2, isPinned: true, names: ["x", "w"]) }, { $0.remove(force: true) },
      ]),
    CrashScript(
      description: "a limit goes down while a native process holds what is owed",
      steps: [
        { $0.acquire("ann") { $0.limit = 3 } }, { $0.nativeTakes(2) }, { $0.resize(1, isPinned: true) },
        { $0.queue("bob") { $0.limit = 3 } }, { $0.release("ann") }, { $0.nativeGives(2) },
        { $0.pass(.milliseconds(10)) }, { $0.keepHouse() }, { $0.resize(0) }, { $0.release("bob") }, { $0.resize(2) },
      ]),
    CrashScript(
      description: "a second set is made and given back", limits: small, records: 160, stride: 29,
      before: { scene in for number in 0..<64 { scene.acquire("\(number)", "lock \(number)") } },
      steps: [
        { $0.acquire("ann") }, { $0.release("ann") }, { $0.release("7") },
        {
          $0.pass(.seconds(2)); $0.keepHouse()
        },
      ]),
  ]
}
