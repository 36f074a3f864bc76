import Leasehold
import Testing

@testable import LeaseholdHTTP

/// Operations that wait: their end and their hang-up may meet.
@Suite struct WaitingOperationTests {
  private let result = OperationResult(key: 31_818, id: 98, count: 1, waited: .milliseconds(12))

  private func begin(_ scene: ServerScene) throws -> (client: RawClient, operation: any OperationClient) {
    let client = scene.client().send(
      "POST /semaphores/7/op?ops=0:-1&wait=60s HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: mine-8\r\n"
        + "Content-Length: 0\r\n\r\n")
    guard eventually({ !scene.service.heard.operating.isEmpty && scene.server.activeExchanges > 0 }),
      let operation = scene.service.heard.operating.last
    else { throw NeverHappened() }
    return (client, operation)
  }

  private func sample() throws -> LeaseSnapshot {
    .sample(AcquireRequest(key: try LockKey(utf8: "op:id:7".utf8), ttl: .seconds(30), caller: .nobody))
  }

  @Test func beingDoneIsTheAnswer() throws {
    let scene = try ServerScene()
    let (client, operation) = try begin(scene)
    operation.performed(result)
    let answer = try #require(client.answer())
    #expect(answer.status == 200)
    #expect(answer.body == "{\"done\":true,\"key\":31818,\"id\":98,\"ops\":1,\"waited_ms\":12}\n")
    client.hangUp()
    #expect(eventually { scene.service.heard.closed.count == 1 })
    #expect(scene.service.heard.canceledOperations.isEmpty)
  }

  @Test func aRefusalIsTheAnswerWithItsRequestID() throws {
    let scene = try ServerScene()
    let (client, operation) = try begin(scene)
    operation.refused(LeaseholdError(.waitTimeout, "Too late.", retryAfter: .milliseconds(1)))
    let answer = try #require(client.answer())
    #expect(answer.status == 423 && answer.headers["x-request-id"] == "mine-8")
    #expect(answer.headers["retry-after"] == "1" && answer.body.contains("\"code\":\"wait-timeout\""))
  }

  @Test func aHangUpGivesTheOperationsUpOnce() throws {
    let scene = try ServerScene()
    let (client, operation) = try begin(scene)
    client.hangUp()
    #expect(eventually { scene.service.heard.closed.count == 1 })
    #expect(scene.service.heard.canceledOperations == [1])
    operation.performed(result)
    #expect(scene.server.activeExchanges == 0)
  }

  @Test func aLeaseIsTheAnswerWhereSomethingIsTakenBack() throws {
    let scene = try ServerScene()
    let (client, operation) = try begin(scene)
    let lease = try sample()
    lease.adjusts = [3, 5]
    operation.granted(lease)
    let answer = try #require(client.answer())
    #expect(answer.status == 201 && answer.headers["location"] == "/leases/\(LeaseSnapshot.sampleID.text)")
    #expect(answer.body.contains("\"semaphores\":[3,5]"))
    client.hangUp()
    #expect(eventually { scene.service.heard.closed.count == 1 })
    #expect(scene.service.heard.undelivered.isEmpty)
  }

  @Test func aLeaseThatNobodyHearsOfIsUndoneOnce() throws {
    let scene = try ServerScene()
    let (client, operation) = try begin(scene)
    client.hangUp()
    #expect(eventually { scene.service.heard.closed.count == 1 })
    operation.granted(try sample())
    #expect(scene.service.heard.undelivered == [LeaseSnapshot.sampleID])
  }

  @Test func aServerThatStopsGivesThemUp() throws {
    let scene = try ServerScene()
    let (client, _) = try begin(scene)
    scene.server.stop()
    #expect(client.answer()?.status == 503)
  }
}
