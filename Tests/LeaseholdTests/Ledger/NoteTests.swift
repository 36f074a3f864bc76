import Leasehold
import LeaseholdTestKit
import Testing

@Suite struct NoteTests {
  private let scene = Scene()

  private func note(_ who: String, _ text: String?) throws {
    let id = try #require(scene.leases[who]?.id)
    _ = try scene.ledger.note(id, text, at: scene.daemon.moment)
  }

  private func told() -> [String?] {
    scene.ledger.events(from: 0, limit: 100).events.filter { $0.kind == .noted }.map(\.reason)
  }

  @Test func listsAndRefusalsShowWhatAHolderSays() throws {
    scene.acquire("ann") { $0.remarks = HolderRemarks(note: "http://10.0.0.1:80") }
    #expect(scene.leases["ann"]?.remarks?.note == "http://10.0.0.1:80")
    try note("ann", "step 2")
    #expect(scene.acquire("bob") == .locked)
    #expect(scene.refusals["bob"]?.contention?.holders.map(\.remarks?.note) == ["step 2"])
    #expect(scene.ledger.leases(ListFilter()).entries.map(\.remarks?.note) == ["step 2"])
    try note("ann", "")
    #expect(try scene.ledger.lock(Scene.key("a")).holders.allSatisfy { $0.remarks == nil })
  }

  @Test func aWaiterShowsItsNoteOnceItIsGranted() {
    scene.acquire("ann")
    scene.queue("bob") { $0.remarks = HolderRemarks(note: "next") }
    scene.release("ann")
    #expect(scene.leases["bob"]?.remarks?.note == "next")
  }

  @Test func eachLockOfALeaseShowsItsNote() throws {
    scene.acquire("ann", several: ["a", "b"]) { $0[0].remarks = HolderRemarks(note: "both") }
    #expect(try scene.ledger.lock(Scene.key("b")).holders.map(\.remarks?.note) == ["both"])
  }

  @Test func notesAreToldOnceASecondAndTheLastIsTold() throws {
    scene.acquire("ann")
    for number in 1...100 { try note("ann", "step \(number)") }
    #expect(told() == [])
    scene.keepHouse()
    #expect(told() == ["step 100"])
    try note("ann", "step 100")
    scene.keepHouse()
    #expect(told() == ["step 100"])
    try note("ann", nil)
    scene.keepHouse()
    #expect(told() == ["step 100", nil])
  }

  @Test func anEndIsNotFollowedByANote() throws {
    scene.acquire("ann") { $0.remarks = HolderRemarks(note: "soon over") }
    scene.release("ann")
    scene.keepHouse()
    #expect(told() == [])
    #expect(throws: LeaseholdError.self) { try note("ann", "over") }
  }

  @Test func aRestartAndATransferForgetTheNote() {
    scene.acquire("ann") { $0.remarks = HolderRemarks(note: "here") }
    scene.transfer("ann", to: "bob")
    #expect(scene.leases["bob"]?.remarks == nil)
    scene.acquire("cat", "c") { $0.remarks = HolderRemarks(note: "there") }
    scene.restart()
    #expect(scene.has("cat"))
    #expect(scene.ledger.leases(ListFilter()).entries.allSatisfy { $0.remarks == nil })
  }
}
