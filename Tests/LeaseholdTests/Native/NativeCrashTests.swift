import Leasehold
import LeaseholdTestKit
import Testing

/// Stories on native sets, each told once for every step at which the daemon can die in it.
@Suite struct NativeCrashTests {
  struct Story: Sendable, CustomStringConvertible {
    let description: String
    let key: Int32
    /// The values when nobody holds anything; `nil` for a set that the story makes.
    var made: [Int]?
    let rest: [Int]
    /// True when the kernel's values, or marks beside them, tell what is out on leases.
    var isCounted = true
    let steps: [@Sendable (Scene) -> Void]
  }

  private static let pathKey: Int32 = SimulatedKernel(crash: CrashSwitch()).key(of: Scene.path([2])) ?? 0
  private static let trailer = [Int(NamedDialect.signature), Int(CounterDialect.layoutVersion), 0]

  private static func steps(
    _ key: String, _ change: @escaping @Sendable (inout AcquireRequest) -> Void
  ) -> [@Sendable (Scene) -> Void] {
    [
      { $0.acquire("ann", key, change) }, { $0.acquire("bob", key, change) }, { $0.queue("cat", key, change) },
      { $0.release("ann") }, { $0.pass(.seconds(1)) }, { $0.release("bob") }, { $0.release("cat") },
    ]
  }

  private static func adding(
    _ key: String, _ change: @escaping @Sendable (inout Want) -> Void
  ) -> [@Sendable (Scene) -> Void] {
    [
      { $0.acquire("ann", "a") }, { $0.add("ann", [key], change) }, { $0.release("ann") }, { $0.acquire("bob", "a") },
      { $0.add("bob", [key], change) }, { $0.pass(.seconds(60)) },
    ]
  }

  static let stories = [
    Story(
      description: "php", key: 1234, rest: [2, 0, 0],
      steps: steps("php:1234") {
        $0.native = Scene.php; $0.limit = 2
      }),
    Story(
      description: "apache writers", key: 31_818, rest: Array(repeating: 0, count: 32),
      steps: steps("apache:a") { $0.native = Scene.apache("a") }),
    Story(
      description: "apache readers", key: 31_818, rest: Array(repeating: 0, count: 32),
      steps: steps("apache:a") {
        $0.native = Scene.apache("a"); $0.mode = .shared
      }),
    Story(
      description: "a path of our making", key: pathKey, rest: [2, 0] + trailer,
      steps: steps("path:/tmp/x") { $0.native = Scene.path([2]) }),
    Story(
      description: "a path of another program's making", key: pathKey, made: [2], rest: [2], isCounted: false,
      steps: steps("path:/tmp/x") { $0.native = Scene.path([2]) }),
    Story(
      description: "php, added to a lease", key: 1234, rest: [2, 0, 0],
      steps: adding("php:1234") {
        $0.lock.native = Scene.php; $0.limit = 2
      }),
    Story(
      description: "a path of another program's making, added to a lease", key: pathKey, made: [2], rest: [2],
      isCounted: false,
      steps: adding("path:/tmp/x") { $0.lock.native = Scene.path([2]) }),
    Story(
      description: "a semaphore of a set that is made", key: 1234, rest: [2], isCounted: false,
      steps: steps("sysv:1234.0") { $0.native = Scene.madeSemaphore(0, value: 2) }),
  ]

  @Test(arguments: stories) func aCrashAtAnyStepLosesNoSlotAndGivesNoneTwice(_ story: Story) {
    var step = 0
    var suspects = 0
    while let found = play(story, crashAt: step) {
      suspects += found
      step += 1
    }
    #expect(step > 10, "\(step) steps")
    // Only where the kernel's values cannot tell, and then at a few steps of many.
    #expect(story.isCounted ? suspects == 0 : (1...step / 2).contains(suspects), "\(suspects) suspects")
  }

  /// Plays a story with a crash; answers the slots in doubt, `nil` when the story ended before the crash.
  private func play(_ story: Story, crashAt step: Int) -> Int? {
    let scene = Scene(records: 64)
    if let made = story.made { _ = scene.kernel.makeForeignSet(key: story.key, made) }
    scene.daemon.crash.crash(afterStep: step)
    var hasCrashed = false
    var suspects = 0
    for part in story.steps {
      part(scene)
      guard scene.daemon.crash.hasCrashed else { continue }
      hasCrashed = true
      scene.restart()
      scene.daemon.crash.disarm()
      let recovery = scene.ledger.status().ledger?.recovery ?? RecoveryReport()
      suspects += recovery.suspects + recovery.unsureReleases
      #expect(recovery.damagedRecords == 0, "'\(story)' crashed at step \(step)")
      let flaws = scene.flaws()
      #expect(flaws.isEmpty, "'\(story)' crashed at step \(step)")
    }
    guard hasCrashed else { return nil }
    // Leases whose answer was lost end by themselves; then everything is as it was.
    scene.pass(.seconds(3600))
    let values = scene.values(story.key)
    if suspects == 0 {
      #expect(values == story.rest || values.isEmpty, "'\(story)' crashed at step \(step)")
    } else {
      #expect((story.rest[0] - suspects...story.rest[0]).contains(values[0]), "'\(story)' crashed at step \(step)")
    }
    return suspects
  }
}
