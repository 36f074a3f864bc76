import Leasehold
import LeaseholdTestKit
import Testing

/// What stands on a set, for those who write its values or remove it.
@Suite struct SetTests {
  private let scene = Scene()

  private func place(_ scene: Scene, _ key: String = "a") throws -> (set: Int32, number: Int) {
    let place = try #require(scene.place(key))
    return (place.set, place.semaphore)
  }

  @Test func leasesAreNamedByTheNumbersTheyStandOn() throws {
    scene.acquire("ann") { $0.limit = 3 }
    scene.acquire("bob") { $0.limit = 3 }
    scene.acquire("cat", "b")
    let (set, a) = try place(scene)
    let b = try place(scene, "b").number
    let refs = scene.leases.mapValues(\.ref)
    #expect(Set(scene.ledger.refs(on: a..<a + 1, of: set)) == Set([refs["ann"], refs["bob"]].compactMap(\.self)))
    #expect(Set(scene.ledger.refs(on: nil, of: set)) == Set(refs.values))
    #expect(scene.ledger.refs(on: 60..<64, of: set).isEmpty && scene.ledger.refs(on: nil, of: set + 1).isEmpty)
    let listed = scene.ledger.refsBySemaphore(of: set, limit: 1)
    #expect(listed.keys.sorted() == [a, b].sorted() && listed.values.allSatisfy { $0.count == 1 })
    scene.release("ann")
    #expect(scene.ledger.refs(on: a..<a + 1, of: set) == [refs["bob"]])
  }

  @Test func waitersOfASetAreSeen() throws {
    scene.acquire("ann")
    let set = try place(scene).set
    #expect(!scene.ledger.hasWaiters(on: set))
    scene.queue("bob")
    #expect(scene.ledger.hasWaiters(on: set) && !scene.ledger.hasWaiters(on: set + 1))
  }

  @Test func brokenLeasesGiveNothingBack() throws {
    scene.acquire("ann") { request in
      request.limit = 3
      request.count = 2
    }
    scene.acquire("bob", "b")
    let (set, a) = try place(scene)
    let free = scene.free()
    let refs = scene.ledger.breakLeases(on: a..<a + 1, of: set, at: scene.daemon.moment)
    #expect(refs == [scene.leases["ann"]?.ref])
    #expect(scene.end("ann") == .broken && scene.has("bob"))
    #expect(scene.free() == free && scene.ledger.refs(on: a..<a + 1, of: set).isEmpty)
  }

  @Test func whatStoodOnARemovedSetIsOver() throws {
    scene.acquire("ann")
    let set = try place(scene).set
    scene.removeSet()
    scene.ledger.setRemoved(set, at: scene.daemon.moment)
    #expect(scene.end("ann") == .setRemoved && scene.ledger.refs(on: nil, of: set).isEmpty)
    scene.ledger.setRemoved(set, at: scene.daemon.moment)
    #expect(scene.flaws().isEmpty)
  }
}
