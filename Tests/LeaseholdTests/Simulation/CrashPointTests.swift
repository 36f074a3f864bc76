import Leasehold
import LeaseholdTestKit
import Testing

@Suite struct CrashPointTests {
  @Test(arguments: CrashScript.all)
  func aCrashAtAnyStepOfAStoryAndOfItsRecoveryBreaksNoPromise(_ script: CrashScript) {
    var step = 0
    var recoveries = 0
    while let steps = play(script, crashAt: step, recoveryCrashAt: nil) {
      for recoveryStep in stride(from: 0, to: steps, by: script.stride) {
        if play(script, crashAt: step, recoveryCrashAt: recoveryStep) == nil { break }
        recoveries += 1
      }
      step += 1
    }
    #expect(step > 10 && recoveries > step, "\(step) steps, \(recoveries) crashed recoveries")
  }

  /// Plays a story with a crash and answers how many steps the recovery took; `nil` when the story ended before the
  /// crash.
  private func play(_ script: CrashScript, crashAt step: Int, recoveryCrashAt recoveryStep: Int?) -> Int? {
    let scene = Scene(script.limits, records: script.records)
    script.before(scene)
    scene.daemon.crash.crash(afterStep: step)
    var recoverySteps: Int?
    for part in script.steps {
      part(scene)
      guard scene.daemon.crash.hasCrashed else { continue }
      let before = scene.daemon.crash.steps
      scene.restart(crashAfterStep: recoveryStep)
      recoverySteps = scene.daemon.crash.steps - before
      if scene.daemon.crash.hasCrashed { scene.restart() }
      scene.daemon.crash.disarm()
      expectSound(scene, script, step, recoveryStep)
    }
    guard recoverySteps != nil else { return nil }
    expectSound(scene, script, step, recoveryStep)
    // In the end nothing is left behind: every unit is free again.
    scene.pass(.seconds(3600))
    scene.pass(.seconds(3600))
    expectSound(scene, script, step, recoveryStep)
    for lock in scene.ledger.locks(ListFilter()).entries {
      let native = scene.kernel.nativeUnits(lock.place.id, lock.place.semaphore)
      let capacity = lock.capacity ?? 0
      #expect(lock.availableUnits ?? capacity == capacity - native, "'\(script)' crashed at step \(step)")
    }
    return recoverySteps
  }

  private func expectSound(_ scene: Scene, _ script: CrashScript, _ step: Int, _ recoveryStep: Int?) {
    let flaws = scene.flaws()
    #expect(flaws.isEmpty, "'\(script)' crashed at step \(step), its recovery at \(recoveryStep ?? -1)")
  }
}
