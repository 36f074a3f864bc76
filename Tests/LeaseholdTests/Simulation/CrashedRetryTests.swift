import Leasehold
import LeaseholdTestKit
import Testing

/// A request with an Idempotency-Key that a crash cuts short at any step, and that is then repeated.
@Suite struct CrashedRetryTests {
  struct Story: Sendable, CustomStringConvertible {
    let description: String
    var records = 64
    /// Recoveries are crashed too, at every such many steps.
    var stride = 1
    /// What happens before the daemon is in danger.
    var before: @Sendable (Scene) -> Void = { _ in }
    /// What ann wants together; a single lock is asked for as such.
    let keys: [String]
    var change: @Sendable (Scene, inout [AcquireRequest]) -> Void = { _, _ in }
    /// What lets ann in when she waits; it may happen twice.
    var then: @Sendable (Scene) -> Void = { _ in }
    /// The values of native sets that nobody uses.
    var rest: [Int32: [Int]] = [:]

    func ask(_ scene: Scene) {
      var wants = keys.map { Scene.request($0) }
      change(scene, &wants)
      (wants[0].owner, wants[0].ttl) = ("ann", .seconds(60))
      if wants[0].idempotencyKey == nil { wants[0].idempotencyKey = "job-17" }
      let asked = wants
      if asked.count == 1 {
        scene.acquire("ann", keys[0]) { $0 = asked[0] }
      } else {
        scene.acquire("ann", several: keys) { $0 = asked }
      }
    }
  }

  private static let trailer = [Int(NamedDialect.signature), Int(CounterDialect.layoutVersion), 0]
  private static let pathKey: Int32 = SimulatedKernel(crash: CrashSwitch()).key(of: Scene.path([3])) ?? 0
  private static let atRest: [Int32: [Int]] = [
    1234: [2, 0, 0], 31_818: Array(repeating: 0, count: 32), pathKey: [3, 0] + trailer,
  ]

  @Sendable private static func natives(_ scene: Scene, _ wants: inout [AcquireRequest]) {
    (wants[1].native, wants[1].limit) = (Scene.php, 2)
    (wants[2].native, wants[2].mode) = (Scene.apache("a"), .shared)
    (wants[3].native, wants[3].count) = (Scene.path([3]), 2)
  }

  static let stories = [
    Story(description: "one lock", keys: ["a"]),
    Story(
      description: "three locks of three kinds", keys: ["a", "b", "c"],
      change: { _, wants in
        wants[1].mode = .shared
        (wants[2].limit, wants[2].count) = (5, 2)
      }),
    Story(
      description: "long names and a long Idempotency-Key", keys: [CrashScript.long, CrashScript.long + "2"],
      change: { _, wants in wants[0].idempotencyKey = CrashScript.long }),
    Story(
      description: "two sets", records: 160, stride: 23,
      before: { scene in for number in 0..<63 { scene.acquire("\(number)", "lock \(number)") } },
      keys: ["a", "b", "c"]),
    Story(
      description: "a wait for the second of two", before: { $0.acquire("bob", "b") }, keys: ["a", "b"],
      change: { _, wants in wants[0].wait = .seconds(60) }, then: { $0.release("bob") }),
    Story(
      description: "a wait for a native program", before: { $0.acquire("bob", "b") { $0.limit = 3 } },
      keys: ["a", "b"],
      change: { _, wants in
        wants[0].wait = .seconds(60)
        (wants[1].limit, wants[1].count) = (3, 2)
      },
      then: { scene in
        scene.nativeTakes(1, "b")
        scene.nativeGives(1, "b")
      }),
    Story(
      description: "a lease that ends with a process", keys: ["a", "b"],
      change: { scene, wants in
        wants[0].process = ProcessBinding(scene.daemon.processes.run(7), name: 7)
      }),
    Story(
      description: "slots of PHP, which has handles open",
      before: { scene in
        let set = scene.kernel.makeForeignSet(key: 1234, [2, 0, 0])
        _ = scene.kernel.perform([.addUndone(5, to: 1)], set: set, process: 50)
      },
      keys: ["php:1234"],
      change: { _, wants in (wants[0].native, wants[0].limit, wants[0].count) = (Scene.php, 2, 2) },
      rest: [1234: [2, 5, 0]]),
    Story(
      description: "native names beside one of ours", keys: ["a", "php:1234", "apache:a", "path:/tmp/x"],
      change: natives, rest: atRest),
    Story(
      description: "native names that are waited for", stride: 7, before: { $0.acquire("bob", "a") },
      keys: ["a", "php:1234", "apache:a", "path:/tmp/x"],
      change: { scene, wants in
        natives(scene, &wants)
        wants[0].wait = .seconds(60)
      }, then: { $0.release("bob") }, rest: atRest),
  ]

  @Test(arguments: stories)
  func aRetryAfterACrashAtAnyStepHasExactlyOneLeaseAndNoUnitIsLost(_ story: Story) {
    var step = 0
    var recoveries = 0
    while let steps = play(story, crashAt: step, recoveryCrashAt: nil) {
      for recoveryStep in stride(from: 0, to: steps, by: story.stride) {
        if play(story, crashAt: step, recoveryCrashAt: recoveryStep) == nil { break }
        recoveries += 1
      }
      step += 1
    }
    #expect(step > 4 && recoveries > step, "\(step) steps, \(recoveries) crashed recoveries")
  }

  /// Plays a story with a crash and answers how many steps the recovery took; `nil` when the story ended before the
  /// crash.
  private func play(_ story: Story, crashAt step: Int, recoveryCrashAt recoveryStep: Int?) -> Int? {
    let scene = Scene(records: story.records)
    story.before(scene)
    let others = scene.ledger.status().leases
    scene.daemon.crash.crash(afterStep: step)
    story.ask(scene)
    if !scene.daemon.crash.hasCrashed { story.then(scene) }
    guard scene.daemon.crash.hasCrashed else { return nil }
    let told = scene.leases["ann"]
    let before = scene.daemon.crash.steps
    scene.restart(crashAfterStep: recoveryStep)
    let steps = scene.daemon.crash.steps - before
    if scene.daemon.crash.hasCrashed { scene.restart() }
    scene.daemon.crash.disarm()
    let place: Comment = "'\(story)' crashed at step \(step), its recovery at \(recoveryStep ?? -1)"
    let found = leases(of: "ann", scene)
    #expect(found.count <= 1, place)
    if let told { #expect(found.first?.id == told.id, place) }
    #expect(scene.flaws().isEmpty, place)
    retry(story, scene, found.first, others, place)
    return steps
  }

  /// Repeats the request, and then gives back what it brought.
  private func retry(_ story: Story, _ scene: Scene, _ survivor: LeaseSnapshot?, _ others: Int, _ place: Comment) {
    story.ask(scene)
    story.then(scene)
    guard scene.has("ann"), let lease = scene.leases["ann"] else {
      Issue.record("the retry has no lease: \(scene.refusal("ann").map { "\($0)" } ?? "it waits"); \(place)")
      return
    }
    if let survivor {
      #expect(lease.id == survivor.id && lease.fence == survivor.fence && lease.replayed, place)
    } else {
      #expect(!lease.replayed, place)
    }
    #expect(leases(of: "ann", scene).map(\.id) == [lease.id], place)
    #expect(lease.places.map(\.key.text) == story.keys, place)
    #expect(scene.flaws().isEmpty, place)
    scene.release("ann")
    #expect(leases(of: "ann", scene).isEmpty && scene.ledger.status().leases <= others, place)
    for (key, values) in story.rest { #expect(scene.values(key) == values, place) }
    #expect(scene.flaws().isEmpty, place)
    scene.pass(.seconds(3600))
    for lock in scene.ledger.locks(ListFilter()).entries {
      #expect(lock.heldUnits == 0 && lock.nativeUnits ?? 0 == 0, "\(lock.key), \(place)")
    }
  }

  private func leases(of owner: String, _ scene: Scene) -> [LeaseSnapshot] {
    var filter = ListFilter()
    filter.owner = owner
    return scene.ledger.leases(filter).entries
  }
}
