import Leasehold
import Testing

@testable import LeaseholdHTTP

@Suite struct GuardedRequestTests {
  private let lock = LockKey(guardingVariablesAt: 0x5afe)

  @Test func aFreeGuardIsTakenForTheWorkAndGivenBackBeforeTheAnswer() throws {
    let scene = try ServerScene(.grant)
    let answer = scene.answer("PUT", "/shm/counter", body: "[1]")
    #expect(answer.status == 201)
    let request = try #require(scene.service.heard.requests.first)
    #expect(request.key == lock)
    #expect(request.owner == "leasehold: shm")
    #expect(request.mode == .exclusive)
    #expect(request.wait == .seconds(5))
    #expect(scene.service.heard.released == [LeaseSnapshot.sampleID])
    #expect(scene.store.puts.map(\.text) == [Array("a:1:{i:0;i:1;}".utf8)])
  }

  @Test func aHeldGuardParksTheRequestAndNothingIsDoneUntilItsGrant() throws {
    let scene = try ServerScene(.wait)
    let client = scene.client()
    client.send("PUT /shm/1?wait=20s HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\n5")
    #expect(eventually { !scene.service.heard.clients.isEmpty && scene.server.activeExchanges > 0 })
    #expect(scene.store.puts.isEmpty)
    #expect(scene.service.heard.requests.first?.wait == .seconds(20))
    try #require(scene.service.heard.clients.first).granted(try scene.lease)
    #expect(client.answer()?.status == 201)
    #expect(scene.store.puts.count == 1)
    #expect(scene.service.heard.released == [LeaseSnapshot.sampleID])
  }

  @Test func whatGoesWrongUnderTheGuardGivesItBackToo() throws {
    let scene = try ServerScene(.grant)
    #expect(scene.answer("DELETE", "/shm/1").status == 404)
    #expect(scene.answer("GET", "/shm/1").status == 404)
    #expect(scene.service.heard.released.count == 2)
  }

  @Test func aGuardThatStaysHeldIs423() throws {
    let scene = try ServerScene(.refuse(.waitTimeout))
    #expect(scene.answer("PUT", "/shm/1", body: "5").status == 423)
    #expect(scene.store.puts.isEmpty)
    #expect(scene.service.heard.released.isEmpty)
  }

  @Test func aWaitOfZeroDoesNotQueue() throws {
    let scene = try ServerScene(.wait)
    #expect(scene.answer("PUT", "/shm/1?wait=0", body: "5").status == 423)
    #expect(scene.service.heard.clients.isEmpty)
  }

  @Test func aRequestThatHungUpLeavesTheQueueAndNothingIsDone() throws {
    let scene = try ServerScene(.wait)
    let client = scene.client()
    client.send("PUT /shm/1 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\n5")
    #expect(eventually { !scene.service.heard.clients.isEmpty && scene.server.activeExchanges > 0 })
    client.hangUp()
    #expect(eventually { scene.service.heard.canceled == [1] })
    #expect(scene.store.puts.isEmpty)
  }

  @Test func aSegmentWithoutAKeyHasNoGuard() throws {
    let scene = try ServerScene(.wait)
    scene.store.guardKey = 0
    #expect(scene.answer("PUT", "/shm/1", body: "5").status == 201)
    #expect(scene.service.heard.requests.isEmpty)
  }

  @Test func aLeaseOnAnotherLockDoesNotOpenTheGuard() throws {
    let scene = try ServerScene(.grant)
    let answer = scene.answer("PUT", "/shm/1?lease=\(LeaseSnapshot.sampleID.text)", body: "5")
    #expect(answer.status == 404)
    #expect(answer.body.contains("no-such-lease"))
    #expect(scene.store.puts.isEmpty && scene.service.heard.requests.isEmpty)
  }

  @Test func onlyACreationThatMayWriteOverSomethingTakesTheGuard() throws {
    let scene = try ServerScene(.grant)
    #expect(scene.answer("POST", "/segments?key=0x5afe").status == 201)
    #expect(scene.service.heard.requests.isEmpty)
    #expect(scene.answer("POST", "/segments?key=0x5afe&init=true").status == 201)
    #expect(scene.service.heard.requests.count == 1)
    #expect(scene.store.creations.map(\.initializes) == [false, true])
  }
}
