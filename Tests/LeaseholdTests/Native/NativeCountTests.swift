import Leasehold
import LeaseholdTestKit
import Testing

/// Natives are counted exactly, in any number: what the records say are leases', all the rest is theirs.
@Suite struct NativeCountTests {
  static let numbers = [0, 31, 32, 512, 1023, 1024, 1100, 20_000]

  @Test(arguments: numbers) func handlesOfPHPStayAsTheyAre(_ handles: Int) throws {
    let scene = Scene()
    #expect(scene.acquire("ann", "php:1234") { ($0.native, $0.limit) = (Scene.php, 3) } == nil)
    if handles > 0 { _ = scene.kernel.perform([.addUndone(handles, to: 1)], set: scene.set(), process: 50) }
    for _ in 0..<2 {
      scene.keepHouse()
      #expect(scene.values() == [2, 1024 + handles, 0] && scene.has("ann"))
      let lock = try scene.ledger.lock(Scene.key("php:1234"), Scene.php)
      #expect(lock.heldUnits == 1 && lock.available == 2 && lock.suspects == 0)
      scene.restart()
    }
    let code = scene.acquire("bob", "php:1234") { ($0.native, $0.limit) = (Scene.php, 3) }
    #expect(code == (handles > 512 ? .tooManyNativeHandles : nil))
    scene.release("bob")
    scene.release("ann")
    #expect(scene.values() == [3, handles, 0])
    scene.restart()
    #expect(scene.values() == [3, handles, 0] && scene.ledger.takeDriftReports().isEmpty)
    let use = scene.ledger.nativeUse(of: scene.set())
    #expect(use == (handles == 0 ? nil : "PHP programs have \(handles) handles open"))
    scene.kernel.kill(50)
    #expect(scene.values() == [3, 0, 0])
  }

  @Test(arguments: numbers) func holdersOfApacheStayAsTheyAre(_ holders: Int) throws {
    let scene = Scene()
    func read(_ who: String) -> LeaseholdError.Code? {
      scene.acquire(who, "apache:a") { ($0.native, $0.mode) = (Scene.apache("a"), .shared) }
    }
    #expect(read("ann") == nil)
    if holders > 0 { _ = scene.kernel.perform([.addUndone(holders, to: 1)], set: scene.set(31_818), process: 50) }
    for _ in 0..<2 {
      scene.keepHouse()
      #expect(scene.values(31_818)[1] == 1024 + holders && scene.has("ann"))
      #expect(try scene.ledger.lock(Scene.key("apache:a"), Scene.apache("a")).nativeUnits == holders)
      scene.restart()
    }
    #expect(read("bob") == (holders > 512 ? .tooManyNativeHandles : nil))
    scene.release("bob")
    #expect(scene.release("ann") == nil && scene.values(31_818)[1] == holders)
    scene.restart()
    #expect(scene.values(31_818)[1] == holders)
    #expect(try scene.ledger.lock(Scene.key("apache:a"), Scene.apache("a")).nativeUnits == holders)
    scene.kernel.kill(50)
    #expect(scene.acquire("eve", "apache:a") { $0.native = Scene.apache("a") } == nil && scene.flaws().isEmpty)
  }

  @Test func whoWaitsBesideTooManyHandlesGetsInWhenTheyAreFewer() {
    let scene = Scene()
    let set = scene.kernel.makeForeignSet(key: 1234, [1, 600, 0])
    #expect(scene.acquire("ann", "php:1234") { $0.native = Scene.php } == .tooManyNativeHandles)
    scene.queue("ann", "php:1234") { $0.native = Scene.php }
    scene.pass(.seconds(1))
    #expect(scene.waits("ann") && scene.values() == [1, 600, 0])
    _ = scene.kernel.perform([.add(-88, to: 1)], set: set, process: 50)
    scene.pass(.milliseconds(10))
    #expect(scene.has("ann") && scene.values() == [0, 512 + 1024, 0] && scene.flaws().isEmpty)
  }

  // MARK: Crashes

  /// What natives do after the daemon was killed and before the next one starts.
  enum Meanwhile: CaseIterable, CustomTestStringConvertible {
    case nothing, openOne, open, close, openAndAcquire, closeAndAcquire

    var testDescription: String { "\(self)" }

    func happen(_ scene: Scene) {
      let set = scene.set()
      guard set != 0 else { return }
      switch self {
      case .nothing: break
      case .openOne: _ = scene.kernel.perform([.addUndone(1, to: 1)], set: set, process: 51)
      case .open: _ = scene.kernel.perform([.addUndone(1100, to: 1)], set: set, process: 51)
      case .close: scene.kernel.kill(50)
      case .openAndAcquire:
        _ = scene.kernel.perform([.addUndone(1100, to: 1)], set: set, process: 51)
        _ = scene.kernel.perform([.addUndone(-1, to: 0), .addUndone(1, to: 0)], set: set, process: 51)
      case .closeAndAcquire:
        _ = scene.kernel.perform([.addUndone(-1, to: 0), .addUndone(1, to: 0)], set: set, process: 51)
        scene.kernel.kill(50)
      }
    }
  }

  private static let steps: [@Sendable (Scene) -> Void] = [
    { $0.acquire("ann", "php:1234") { ($0.native, $0.limit) = (Scene.php, 2) } },
    { _ = $0.kernel.perform([.addUndone(400, to: 1)], set: $0.set(), process: 50) },
    { $0.acquire("bob", "php:1234") { ($0.native, $0.limit) = (Scene.php, 2) } },
    { _ = $0.kernel.perform([.addUndone(700, to: 1)], set: $0.set(), process: 50) },
    { $0.queue("cat", "php:1234") { ($0.native, $0.limit) = (Scene.php, 2) } },
    { $0.release("ann") }, { $0.pass(.seconds(1)) }, { $0.release("bob") }, { $0.pass(.seconds(60)) },
  ]

  /// However many there are, and whatever they do meanwhile: nothing of theirs is taken, no slot is given twice, and
  /// one that stays away is a suspect, which there are only where natives changed both semaphores, or the daemon had
  /// changed neither before.
  ///
  /// SEM is what the last program left in it until the first who is counted sets it: 0 in a set that was just made.
  @Test(arguments: Meanwhile.allCases, [0, 1, 2])
  func aCrashAtAnyStepTakesNothingFromNatives(_ meanwhile: Meanwhile, besideSEM value: Int) {
    var step = 0
    var suspects = 0
    while let found = play(meanwhile, besideSEM: value, crashAt: step) {
      suspects += found
      step += 1
    }
    // Beside another SEM than the limit, SEM tells nothing of the first take either.
    let doubts = [.openAndAcquire: 8, .closeAndAcquire: 2, .open: value == 2 ? 1 : 3][meanwhile] ?? 0
    #expect(step > 20 && (0...doubts).contains(suspects), "\(step) steps, \(suspects) suspects")
  }

  private func play(_ meanwhile: Meanwhile, besideSEM value: Int, crashAt step: Int) -> Int? {
    let scene = Scene(records: 64)
    _ = scene.kernel.makeForeignSet(key: 1234, [value, 0, 0])
    scene.daemon.crash.crash(afterStep: step)
    var hasCrashed = false
    for part in Self.steps {
      part(scene)
      guard scene.daemon.crash.hasCrashed, !hasCrashed else { continue }
      hasCrashed = true
      scene.daemon.crash.thaw()
      scene.kernel.kill(SimulatedKernel.daemon)
      meanwhile.happen(scene)
      scene.restart()
      scene.daemon.crash.disarm()
      let flaws = scene.flaws()
      #expect(flaws.isEmpty, "crashed at step \(step)")
    }
    guard hasCrashed else { return nil }
    scene.pass(.seconds(3600))
    let suspects = scene.ledger.status().ledger?.recovery.suspects ?? 0
    for process: Int32 in [50, 51] { scene.kernel.kill(process) }
    scene.hear()
    scene.pass(.seconds(3600))
    scene.keepHouse()
    let values = scene.values()
    guard !values.isEmpty else { return suspects }
    let left = values[1] / 1024
    // While nobody was counted yet nobody set SEM.
    let isUnset = values == [value, 0, 0]
    #expect(
      (0...suspects).contains(left) && (isUnset || values == [2 - left, 1024 * left, 0]),
      "\(values) after a crash at step \(step)")
    let shown = (try? scene.ledger.lock(Scene.key("php:1234"), Scene.php).suspects) ?? 0
    #expect(shown == left, "what is in doubt is shown as long as it is")
    return suspects
  }
}
