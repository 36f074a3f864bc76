import Leasehold
import LeaseholdTestKit
import Testing

/// Random callers beside random programs on one `php:` set: handles by the thousand, slots, resets, new modes, kills.
@Suite struct NativeTrafficTests {
  /// One run of a seed.
  private final class Run {
    let scene = Scene(records: 128)
    var random: SeededRandom
    var handles: [Int32: Int] = [:]
    var held: [Int32: Int] = [:]
    var resets = 0
    var story: [String] = []

    init(seed: UInt64) {
      random = SeededRandom(seed: seed)
      _ = scene.kernel.makeForeignSet(key: 1234, [3, 0, 0])
    }

    var set: Int32 { scene.set() }
    private let people = ["ann", "bob", "cat", "dan", "eve"]

    func step() {
      if random.once(in: 10) { scene.daemon.crash.crash(afterStep: Int.random(in: 0..<14, using: &random)) }
      switch Int.random(in: 0..<20, using: &random) {
      case 0..<6:
        let (who, waits) = (random.pick(people), random.once(in: 2))
        guard !scene.has(who), !scene.waits(who) else { return }
        story.append("\(who) acquires")
        scene.acquire(who, "php:1234") {
          ($0.native, $0.limit) = (Scene.php, 3)
          if waits { $0.wait = .seconds(5) }
        }
      case 6..<10:
        let who = random.pick(people)
        story.append("\(who) releases")
        scene.release(who)
      case 10: scene.pass(.seconds(random.pick([1, 40])))
      case 11:
        story.append("a mode that is there")
        scene.kernel.setMode(0o666, set: set)
      case 12: reset()
      default: native()
      }
      recover()
    }

    private func recover() {
      guard scene.daemon.crash.hasCrashed else { return }
      story.append("crash")
      scene.daemon.crash.thaw()
      scene.kernel.kill(SimulatedKernel.daemon)
      for _ in 0..<Int.random(in: 0...2, using: &random) { native() }
      scene.restart()
      scene.daemon.crash.disarm()
    }

    /// A program opens handles, takes or gives back a slot, or is killed.
    func native() {
      let pid = random.pick([50, 51, 52] as [Int32])
      switch Int.random(in: 0..<4, using: &random) {
      case 0:
        let count = random.pick([1, 3, 500, 1024, 1100])
        guard scene.kernel.perform([.addUndone(count, to: 1)], set: set, process: pid) == .done else { return }
        handles[pid, default: 0] += count
        story.append("\(pid) opens \(count)")
      case 1 where handles[pid] != nil:
        guard scene.kernel.perform([.addUndone(-1, to: 0)], set: set, process: pid) == .done else { return }
        held[pid, default: 0] += 1
        story.append("\(pid) takes a slot")
      case 2 where held[pid, default: 0] > 0:
        guard scene.kernel.perform([.addUndone(1, to: 0)], set: set, process: pid) == .done else { return }
        held[pid, default: 0] -= 1
        story.append("\(pid) gives a slot back")
      case 3:
        scene.kernel.kill(pid)
        (handles[pid], held[pid]) = (nil, nil)
        story.append("\(pid) is killed")
      default: break
      }
    }

    /// An administrator ends the programs and writes the set anew, whatever is out on leases.
    func reset() {
      guard !scene.daemon.crash.hasCrashed else { return }
      // A write while no daemon runs is not noticed beside so many handles.
      scene.daemon.crash.disarm()
      story.append("reset")
      resets += 1
      for pid in handles.keys { scene.kernel.kill(pid) }
      (handles, held) = ([:], [:])
      for (number, value) in [3, 0, 0].enumerated() { scene.kernel.setValue(value, set: set, semaphore: number) }
      scene.history.letGo { _ in true }
    }

    /// What is wrong; natives' handles and slots are theirs, and nothing is free that is not.
    func wrong() -> [String] {
      scene.keepHouse()
      recover()
      scene.daemon.crash.disarm()
      scene.keepHouse()
      var wrong = scene.flaws()
      let values = scene.values()
      guard let lock = try? scene.ledger.lock(Scene.key("php:1234"), Scene.php) else { return wrong + ["no lock"] }
      let open = handles.values.reduce(0, +)
      let counted = (values[1] - open + 8) / 1024
      // A wait whose handle was wiped out takes another one along.
      if values[1] - open < 1024 * (lock.heldUnits - lock.suspects) - 8 {
        wrong.append("USAGE is \(values[1]) beside \(open) handles and \(lock.heldUnits) units on leases")
      }
      let used = counted + held.values.reduce(0, +)
      if values[0] + used > 3 { wrong.append("\(values[0]) are free and \(used) in use, of 3") }
      if counted > lock.heldUnits { wrong.append("\(counted) units are counted, and \(lock.heldUnits) known") }
      return wrong
    }
  }

  @Test func randomProgramsBesideRandomCallersLoseNothingAndGetNothingTwice() {
    var resets = 0
    for seed: UInt64 in 1...150 {
      let run = Run(seed: seed)
      for _ in 0..<60 {
        run.step()
        let wrong = run.wrong()
        guard wrong.isEmpty else {
          Issue.record("seed \(seed): \(wrong) \(run.scene.values())\n\(run.story.suffix(20).joined(separator: "\n"))")
          return
        }
      }
      resets += run.resets
    }
    #expect(resets > 100)
  }
}
