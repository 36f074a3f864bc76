import Leasehold
import LeaseholdHost
import Synchronization
import Testing

@testable import LeaseholdHTTP

/// Requests that a worker has.
@Suite struct WorkingTests {
  @Test func aWorkersAnswerIsSentWhileOthersAreServed() throws {
    let server = try TestServer()
    let client = server.client().request("POST", "/work")
    #expect(eventually { server.handler.works == 1 })
    #expect(server.client().request("GET", "/other").answer()?.status == 200)
    server.handler.finishWork()
    #expect(client.answer()?.body == "worked\n")
    #expect(client.request("GET", "/next").answer()?.status == 200)
    #expect(server.handler.counts.lost == 0)
  }

  @Test func aWaitThatAWorkerBeganIsAnsweredFromElsewhere() throws {
    let server = try TestServer()
    let client = server.client().request("POST", "/work-park")
    server.handler.finishWork()
    #expect(eventually { server.handler.parked.count == 1 })
    #expect(ToyHandler.grant(server.handler.takeParked()[0]))
    #expect(client.answer()?.body == "granted\n")
  }

  @Test(arguments: ["/work", "/work-park"]) func anAnswerFromElsewhereIsKeptUntilTheWorkerIsThrough(_ path: String)
    throws
  {
    let server = try TestServer()
    let client = server.client().request("POST", path)
    #expect(eventually { server.handler.works == 1 })
    let exchange = try #require(server.handler.working.first)
    #expect(ToyHandler.grant(exchange))
    #expect(!ToyHandler.grant(exchange))
    server.handler.finishWork()
    #expect(client.answer()?.body == "granted\n")
    #expect(server.handler.counts.lost == (path == "/work" ? 1 : 0))
    #expect(client.request("GET", "/next").answer()?.status == 200)
  }

  @Test(arguments: ["/work", "/work-park"]) func aPeerThatGoesIsToldToTheWorkerAtTheEnd(_ path: String) throws {
    let server = try TestServer()
    let client = server.client().request("POST", path)
    #expect(eventually { server.handler.works == 1 })
    let exchange = try #require(server.handler.working.first)
    client.hangUp()
    #expect(eventually { exchange.parking.withLock { $0.phase } == .alone })
    #expect(server.handler.counts.hungUp == 0 && !ToyHandler.grant(exchange))
    server.handler.finishWork()
    #expect(eventually { server.handler.counts.closed == 1 })
    let counts = server.handler.counts
    #expect(path == "/work" ? counts.lost == 1 : counts.hungUp == 1)
    #expect(counts.undelivered == 1 && server.handler.completionsPerExchange == [1])
  }

  @Test func aListenerThatStopsWaitsForItsWorkers() throws {
    let server = try TestServer()
    let client = server.client().request("POST", "/work")
    #expect(eventually { server.handler.works == 1 })
    let exchange = try #require(server.handler.working.first)
    let finishing = HostThread(named: "finisher") { [handler = server.handler] in
      _ = eventually { exchange.parking.withLock { $0.phase } == .answered }
      handler.finishWork()
    }
    server.stop()
    finishing?.join()
    #expect(client.answer()?.body == "stopping\n")
    #expect(server.handler.counts.lost == 1)
  }

  @Test func grantsHangUpsAndWorkersMeetInAnyOrder() throws {
    let server = try TestServer()
    for round in 0..<200 {
      let client = server.client().request("POST", round % 2 == 0 ? "/work" : "/work-park")
      #expect(eventually { server.handler.works == round + 1 })
      let exchange = try #require(server.handler.working.last)
      let granter = HostThread(named: "granter") { _ = ToyHandler.grant(exchange) }
      let finisher = HostThread(named: "finisher") { [handler = server.handler] in handler.finishWork() }
      if round % 3 != 0 { client.hangUp() }
      for thread in [granter, finisher] { thread?.join() }
      client.hangUp()
    }
    #expect(eventually { server.handler.counts.closed == 200 })
    let counts = server.handler.counts
    #expect(counts.delivered + counts.undelivered == 200 && server.handler.completionsPerExchange == [1])
  }
}

/// A server whose engine may block.
@Suite struct BlockingEngineTests {
  private func scene(_ plan: FakeService.Plan) throws -> ServerScene {
    try ServerScene(plan, engine: { $0.traits.mayBlock = true })
  }

  @Test func requestsGoByWorkersAndComeOutTheSame() throws {
    let scene = try scene(.grant)
    let answer = scene.answer("POST", "/locks/a/acquire")
    #expect(answer.status == 201 && answer.headers["location"] == "/leases/" + LeaseSnapshot.sampleID.text)
    #expect(scene.answer("POST", "/locks/a/acquire?ttl=soon").status == 400)
    #expect(scene.answer("PUT", "/shm/1", body: "5").status == 201)
    #expect(scene.answer("GET", "/", "Accept: text/html").status == 200)
    #expect(scene.service.heard.undelivered.isEmpty)
  }

  @Test func aWaitThatAWorkerBeganIsAnsweredByItsGrant() throws {
    let scene = try scene(.wait)
    let client = scene.client().request("POST", "/locks/a/acquire?wait=60s")
    try scene.waiter().granted(try scene.lease)
    #expect(client.answer()?.status == 201)
  }

  @Test func whenAllWorkersAreBusyOthersAreToldSoAndHealthIsAnswered() throws {
    let scene = try scene(.grant)
    func withEveryPlace(_ left: Int, _ body: () -> Void) {
      guard left > 0, let place = try? scene.server.workers?.reserve() else { return body() }
      withEveryPlace(left - 1, body)
      _ = consume place
    }
    withEveryPlace(Server.workersMax + Server.lineMax) {
      let answer = scene.answer("POST", "/locks/a/acquire")
      #expect(answer.status == 503 && answer.headers["retry-after"] == "1")
      #expect(answer.body.contains("\"code\":\"engine-unavailable\""))
      #expect(scene.answer("GET", "/healthz").status == 200 && scene.answer("GET", "/readyz").status == 200)
    }
    #expect(scene.answer("POST", "/locks/a/acquire").status == 201)
  }

  @Test func whatStoodInLineForTooLongIsRefused() throws {
    let scene = try ServerScene(.grant, { $0.lineTime = .zero }, engine: { $0.traits.mayBlock = true })
    let answer = scene.answer("POST", "/locks/a/acquire")
    #expect(answer.status == 503 && answer.headers["retry-after"] == "1")
    #expect(answer.body.contains("\"code\":\"engine-unavailable\""))
    #expect(scene.service.heard.requests.isEmpty)
  }
}
