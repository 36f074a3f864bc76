import Glibc
import Leasehold
import LeaseholdHost
import Testing

@testable import LeaseholdHTTP

/// An acquire that waits: its grant and its hang-up may meet.
@Suite struct WaitingAcquireTests {
  private func begin(_ scene: ServerScene, _ target: String = "/locks/a/acquire?wait=60s") throws
    -> (client: RawClient, waiter: WaitingAcquire)
  {
    let client = scene.client().send(
      "POST \(target) HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: mine-7\r\nContent-Length: 0\r\n\r\n")
    return (client, try scene.waiter())
  }

  @Test func aGrantWhileWaitingIsTheAnswer() throws {
    let scene = try ServerScene()
    let (client, waiter) = try begin(scene)
    waiter.granted(try scene.lease)
    let answer = try #require(client.answer())
    #expect(answer.status == 201 && answer.body.hasPrefix("{\"lease\":\"\(LeaseSnapshot.sampleID.text)\""))
    #expect(answer.headers["location"] == "/leases/" + LeaseSnapshot.sampleID.text)
    client.hangUp()
    #expect(eventually { scene.service.heard.closed.count == 1 })
    #expect(scene.service.heard.undelivered.isEmpty && scene.service.heard.canceled.isEmpty)
  }

  /// Nobody may be able to tell whether libmicrohttpd wrote an answer or the releaser did.
  @Test func aGrantWhileWaitingHasTheHeadersOfAnyOther() throws {
    #expect(EarlyAnswers.areOn)
    let scene = try ServerScene()
    let (early, first) = try begin(scene)
    first.granted(try scene.lease)
    let own = try #require(early.answer())
    let second = try ServerScene()
    let late = second.client().send(
      "POST /locks/a/acquire?wait=60s HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: mine-7\r\nConnection: close\r\n\r\n")
    try second.waiter().granted(try second.lease)
    var other = try #require(late.answer())
    #expect(other.headers.removeValue(forKey: "connection") == "close")
    #expect(Set(own.headers.keys) == Set(other.headers.keys))
    for (name, value) in own.headers where name != "date" { #expect(other.headers[name] == value) }
    #expect(own.headers["date"]?.count == other.headers["date"]?.count)
  }

  @Test func aConnectionServesOnAfterAGrantWhileWaiting() throws {
    let scene = try ServerScene()
    let (client, waiter) = try begin(scene)
    waiter.granted(try scene.lease)
    // Sent before libmicrohttpd can be through with the request before.
    for _ in 0..<3 { client.request("GET", "/version") }
    #expect(client.answer()?.status == 201)
    for _ in 0..<3 { #expect(client.answer()?.status == 200) }
    #expect(scene.service.heard.undelivered.isEmpty)
  }

  @Test func aRefusalWhileWaitingIsTheAnswerWithItsRequestID() throws {
    let scene = try ServerScene()
    let (client, waiter) = try begin(scene)
    waiter.refused(LeaseholdError(.waitTimeout, "Too late.", retryAfter: .milliseconds(1)))
    let answer = try #require(client.answer())
    #expect(answer.status == 423 && answer.headers["x-request-id"] == "mine-7")
    #expect(answer.body.contains("\"code\":\"wait-timeout\"") && answer.body.contains("\"request_id\":\"mine-7\""))
    #expect(answer.headers["retry-after"] == "1")
  }

  @Test func aRequestWithoutIDGetsTheSameOneInHeaderAndBody() throws {
    let scene = try ServerScene()
    let client = scene.client().request("POST", "/locks/a/acquire?wait=60s")
    try scene.waiter().refused(LeaseholdError(.superseded, "Taken over."))
    let answer = try #require(client.answer())
    let id = try #require(answer.headers["x-request-id"])
    #expect(id.count == 16 && answer.body.contains("\"request_id\":\"\(id)\""))
  }

  @Test func aHangUpWhileWaitingCancelsTheWait() throws {
    let scene = try ServerScene()
    let (client, waiter) = try begin(scene)
    client.hangUp()
    #expect(eventually { scene.service.heard.closed.count == 1 })
    #expect(scene.service.heard.canceled == [1])
    #expect(scene.service.heard.undelivered.isEmpty)
    waiter.refused(LeaseholdError(.waitTimeout, "Too late."))
    #expect(scene.server.activeExchanges == 0)
  }

  @Test func aGrantThatComesAfterTheHangUpIsUndeliveredOnce() throws {
    let scene = try ServerScene()
    let (client, waiter) = try begin(scene)
    client.hangUp()
    #expect(eventually { scene.service.heard.closed.count == 1 })
    waiter.granted(try scene.lease)
    #expect(scene.service.heard.undelivered == [LeaseSnapshot.sampleID])
  }

  @Test func aReplayThatComesAfterTheHangUpIsNotUndelivered() throws {
    let scene = try ServerScene()
    let (client, waiter) = try begin(scene)
    client.hangUp()
    #expect(eventually { scene.service.heard.closed.count == 1 })
    let lease = try scene.lease
    lease.replayed = true
    waiter.granted(lease)
    #expect(scene.service.heard.undelivered.isEmpty)
  }

  @Test func grantsRacingWithHangUpsAreAnsweredOrUndelivered() throws {
    let scene = try ServerScene()
    var wrong: [Int] = []
    for round in 1...200 {
      let (client, waiter) = try begin(scene)
      let lease = try scene.lease
      let before = scene.service.heard
      let granter = HostThread(named: "granter") { waiter.granted(lease) }
      if round % 2 == 0 { client.halfClose() } else { client.hangUp() }
      granter?.join()
      client.hangUp()
      #expect(eventually { scene.service.heard.closed.count == round })
      let after = scene.service.heard
      let isCanceled = after.canceled.count > before.canceled.count
      let undelivered = after.undelivered.count - before.undelivered.count
      // An answer that was on its way when the caller left may count either way, but only once.
      if isCanceled ? undelivered != 1 : undelivered > 1 { wrong.append(undelivered) }
      scene.service.forget()
    }
    #expect(wrong.isEmpty)
    #expect(scene.server.activeExchanges == 0)
  }

  @Test func stopAnswersTheWaitWith503() throws {
    let scene = try ServerScene()
    let (client, waiter) = try begin(scene)
    scene.server.stop()
    let answer = try #require(client.answer())
    #expect(answer.status == 503 && answer.headers["retry-after"] == "1")
    #expect(answer.body.contains("\"code\":\"draining\""))
    waiter.granted(try scene.lease)
    #expect(scene.service.heard.undelivered == [LeaseSnapshot.sampleID])
  }

  @Test func aRefusalAtOnceIsNotAWait() throws {
    let scene = try ServerScene(.refuse(.queueFull))
    let answer = scene.answer("POST", "/locks/a/acquire?wait=5s")
    #expect(answer.status == 423 && scene.service.heard.clients.isEmpty)
    #expect(scene.service.heard.requests.first?.wait == .seconds(5))
  }
}
