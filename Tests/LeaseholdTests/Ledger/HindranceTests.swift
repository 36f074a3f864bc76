import LeaseholdTestKit
import Testing

@testable import Leasehold

/// What a refusal says of a lock that is free.
@Suite struct HindranceTests {
  private let scene = Scene()

  private func queuedFor(_ scene: Scene, _ key: String) throws -> [String] {
    try scene.ledger.lock(Scene.key(key)).queuedFor.map(\.text)
  }

  @Test func aFreeLockSaysForWhichOthersItsQueueWaits() throws {
    scene.acquire("ann", "busy")
    scene.acquire("bob", several: ["free", "busy", "idle"]) { $0[0].wait = .seconds(60) }
    #expect(scene.waits("bob"))
    #expect(try queuedFor(scene, "free") == ["busy"] && queuedFor(scene, "idle") == ["busy"])
    #expect(try queuedFor(scene, "busy").isEmpty, "that one is held")
    #expect(try scene.ledger.lock(Scene.key("free")).waiters.first?.keys.map(\.text) == ["free", "busy", "idle"])
    #expect(scene.acquire("cat", "free") == .locked)
    let refusal = scene.refusals["cat"]
    #expect(refusal?.contention?.queuedFor.map(\.text) == ["busy"])
    #expect(refusal?.detail.contains("is held") == false && refusal?.detail.contains("is free") == true)
    #expect(scene.acquire("cat", "busy") == .locked)
    #expect(scene.refusals["cat"]?.detail.contains("Lock 'busy' is held") == true)
  }

  @Test func whoWaitedInVainIsToldOfTheLockThatWasBusy() {
    scene.acquire("ann", "busy") { $0.ttl = .seconds(600) }
    scene.acquire("bob", several: ["free", "busy"]) { $0[0].wait = .seconds(5) }
    scene.queue("cat", "free", for: .seconds(3))
    scene.pass(.seconds(4))
    #expect(scene.refusals["cat"]?.contention?.queuedFor.map(\.text) == ["busy"])
    scene.pass(.seconds(4))
    #expect(scene.refusals["bob"]?.contention?.key.text == "busy")
  }

  @Test func aCountThatIsMoreThanWhatIsFreeIsToldSo() {
    scene.acquire("ann") { $0.limit = 3 }
    scene.acquire("bob") { ($0.limit, $0.count) = (3, 3) }
    #expect(scene.refusals["bob"]?.detail.contains("has less free than you ask for") == true)
    scene.acquire("cat") { ($0.limit, $0.count) = (3, 2) }
    scene.acquire("bob") { $0.limit = 3 }
    #expect(scene.refusals["bob"]?.detail.contains("is held;") == true)
  }

  @Test func aLockThatNativesHoldSaysSo() {
    scene.acquire("ann") { $0.limit = 2 }
    scene.nativeTakes(1)
    scene.release("ann")
    #expect(
      scene.acquire("bob") {
        ($0.limit, $0.count) = (2, 2)
      } == .locked)
    #expect(scene.refusals["bob"]?.detail.contains("did not come through this service") == true)
  }
}
