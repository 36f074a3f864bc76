import Leasehold
import Testing

@testable import LeaseholdHTTP

/// The open answer of a hold.
@Suite struct HoldTests {
  private func begin(_ scene: ServerScene, _ query: String = "") -> RawClient {
    scene.client().send("POST /locks/a/hold\(query) HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n")
  }

  /// The head of a chunked answer, whose body is read chunk by chunk afterwards.
  private func head(_ client: RawClient) -> RawClient.Answer { client.answer(head: true) ?? RawClient.Answer() }

  @Test func aHoldIsTheLeaseThenHeartbeatsThenItsEnd() throws {
    let scene = try ServerScene(.grant) { $0.heartbeat = .milliseconds(20) }
    let client = begin(scene)
    let head = head(client)
    #expect(head.status == 201 && head.headers["content-type"] == "application/x-ndjson")
    #expect(head.headers["location"] == "/leases/\(LeaseSnapshot.sampleID.text)")
    let first = client.chunk() ?? ""
    #expect(first.hasPrefix("{\"lease\":\"\(LeaseSnapshot.sampleID.text)\"") && first.hasSuffix("}\n"))
    #expect(first.contains("\"bind\":\"connection\"") && first.contains("\"ttl_ms\":0"))
    #expect(client.chunk() == "{\"heartbeat\":1,\"expires_in_ms\":null}\n")
    #expect(client.chunk()?.hasPrefix("{\"heartbeat\":2,") == true)
    #expect(scene.server.holds.count == 1)
    try #require(scene.service.heard.clients.last).ended(.expired, nil, at: Server.now())
    var last = ""
    while let chunk = client.chunk(), !chunk.isEmpty { last = chunk }
    #expect(last.hasPrefix("{\"ended\":\"expired\",\"at\":\"2") && last.hasSuffix("Z\"}\n"))
    #expect(eventually { scene.server.holds.count == 0 })
  }

  @Test func theLastLineOfABrokenHoldSaysWhoEndedItAndWhy() throws {
    let scene = try ServerScene(.grant)
    let client = begin(scene)
    _ = (head(client), client.chunk())
    try #require(scene.service.heard.clients.last)
      .ended(.broken, BreakNote(reason: "upgrade", by: "uid 0"), at: Server.now())
    #expect(client.chunk()?.hasSuffix("Z\",\"break_reason\":\"upgrade\",\"broken_by\":\"uid 0\"}\n") == true)
  }

  @Test func aHoldInTextIsTheIDThenEmptyLines() throws {
    let scene = try ServerScene(.grant) { $0.heartbeat = .milliseconds(20) }
    let client = begin(scene, "?format=text")
    #expect(head(client).headers["content-type"] == "text/plain; charset=utf-8")
    // Several may come in one chunk.
    let id = LeaseSnapshot.sampleID.text
    var told = ""
    while told.utf8.count < id.utf8.count + 3 { told += try #require(client.chunk()) }
    #expect(told == id + String(repeating: "\n", count: told.utf8.count - id.utf8.count))
  }

  @Test func aHeartbeatTellsTheDeadlineAsItIsNow() throws {
    let scene = try ServerScene(.grant) { $0.heartbeat = .milliseconds(20) }
    let client = begin(scene, "?ttl=1s")
    _ = head(client)
    _ = client.chunk()
    try #require(scene.service.heard.clients.last).renewed(until: Server.now() + .seconds(500))
    // Some beats may have been on their way before.
    var left = 0
    for _ in 0..<100 where left < 2000 {
      left = client.chunk()?.split(separator: ":").last.flatMap { Int($0.prefix { $0.isNumber }) } ?? 0
    }
    #expect((400_000...500_000).contains(left), "\(left)")
  }

  @Test func aHoldWhoseCallerHangsUpIsForgotten() throws {
    let scene = try ServerScene(.grant)
    let client = begin(scene)
    _ = head(client)
    _ = client.chunk()
    client.hangUp()
    #expect(eventually { scene.service.heard.closed.count == 1 })
    #expect(scene.server.holds.count == 0)
    // Its lease ends with the connection.
    #expect(scene.service.heard.undelivered.isEmpty)
  }

  @Test func aHoldThatWaitsBeginsWithItsGrant() throws {
    let scene = try ServerScene()
    let client = begin(scene, "?wait=60s")
    let waiter = try scene.waiter()
    waiter.granted(try scene.lease)
    #expect(head(client).status == 201)
    #expect(client.chunk()?.hasPrefix("{\"lease\":") == true)
    #expect(scene.service.heard.followed == [LeaseSnapshot.sampleID])
    waiter.ended(.connectionClosed, nil, at: Server.now())
    #expect(client.chunk()?.hasPrefix("{\"ended\":\"connection-closed\"") == true)
    #expect(client.chunk() == "")
  }

  @Test func aHoldGrantedAfterItsCallerHungUpIsUndeliveredAndForgotten() throws {
    let scene = try ServerScene()
    let client = begin(scene, "?wait=60s")
    let waiter = try scene.waiter()
    client.hangUp()
    #expect(eventually { scene.service.heard.closed.count == 1 })
    waiter.granted(try scene.lease)
    #expect(scene.service.heard.undelivered == [LeaseSnapshot.sampleID])
    #expect(scene.server.holds.count == 0)
  }

  @Test func aLeaseThatEndedBeforeItsAnswerBeganIsAProblem() throws {
    let scene = try ServerScene()
    scene.service.isLeaseOver = true
    let client = begin(scene, "?wait=60s")
    try scene.waiter().granted(try scene.lease)
    #expect(client.answer()?.status == 410)
    #expect(eventually { scene.server.holds.count == 0 })
  }

  @Test func drainEndsOpenHoldsWithoutAWordAboutTheLease() throws {
    let scene = try ServerScene(.grant)
    let client = begin(scene)
    _ = head(client)
    _ = client.chunk()
    scene.server.drain()
    #expect(client.chunk() == "")
  }

  @Test func stopAnswersAHoldThatWaitsWith503() throws {
    let scene = try ServerScene()
    let client = begin(scene, "?wait=60s")
    _ = try scene.waiter()
    scene.server.stop()
    #expect(client.answer()?.status == 503)
  }

  @Test func holdNeedsAVersionWithChunks() throws {
    let scene = try ServerScene(.grant)
    let client = scene.client().send("POST /locks/a/hold HTTP/1.0\r\nContent-Length: 0\r\n\r\n")
    #expect(client.answer()?.status == 400)
    #expect(scene.service.heard.requests.isEmpty)
  }
}
