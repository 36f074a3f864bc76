import Glibc
import Testing

@testable import LeaseholdHTTP

/// Requests that wait for their answer.
@Suite struct ParkingTests {
  @Test func aParkedRequestIsAnsweredFromAnotherThread() throws {
    let server = try TestServer()
    let client = server.client().request("POST", "/park")
    #expect(eventually { server.handler.parked.count == 1 })
    #expect(ToyHandler.grant(server.handler.takeParked()[0]))
    #expect(client.answer()?.body == "granted\n")
    #expect(client.request("GET", "/next").answer()?.status == 200)
    #expect(
      eventually { server.handler.counts == .init(arrived: 2, delivered: 2, undelivered: 0, hungUp: 0, closed: 0) })
  }

  @Test func anAnswerMayComeBeforeTheRequestIsParked() throws {
    let server = try TestServer()
    let client = server.client()
    for _ in 0..<3 { #expect(client.request("GET", "/early").answer()?.body == "early\n") }
    #expect(eventually { server.handler.counts.delivered == 3 })
  }

  @Test func onlyTheFirstAnswerCounts() throws {
    let server = try TestServer()
    let client = server.client().request("POST", "/park")
    #expect(eventually { server.handler.parked.count == 1 })
    let exchange = server.handler.takeParked()[0]
    #expect(ToyHandler.grant(exchange))
    #expect(!ToyHandler.grant(exchange))
    #expect(client.answer()?.body == "granted\n")
    #expect(!ToyHandler.grant(exchange))
  }

  @Test(arguments: ["close", "reset", "half-close"])
  func aPeerThatLeavesWhileParkedIsNoticedOnce(_ how: String) throws {
    let server = try TestServer()
    let client = server.client().request("POST", "/park")
    #expect(eventually { server.handler.parked.count == 1 })
    switch how {
    case "close": client.hangUp()
    case "reset": client.reset()
    default: client.halfClose()
    }
    #expect(eventually { server.handler.counts.closed == 1 })
    #expect(
      eventually { server.handler.counts == .init(arrived: 1, delivered: 0, undelivered: 1, hungUp: 1, closed: 1) })
    #expect(!ToyHandler.grant(server.handler.takeParked()[0]))
  }

  @Test func aPeerThatLeftBeforeItsRequestWasParkedIsNoticed() throws {
    let server = try TestServer()
    for _ in 0..<50 { server.client().request("POST", "/park").hangUp() }
    #expect(eventually { server.handler.counts.closed == 50 })
    #expect(server.handler.completionsPerExchange.isSubset(of: [1]))
    #expect(eventually { server.handler.counts.delivered == 0 })
  }

  @Test func aHalfCloseBehindARequestThatIsAnsweredAtOnceStillGetsTheAnswer() throws {
    let server = try TestServer { $0.idleTimeoutSeconds = 0.1 }
    for path in ["/echo", "/keep"] {
      let client = server.client().request("GET", path)
      client.halfClose()
      #expect(client.answer()?.status == 200)
      #expect(client.isClosed())
    }
  }

  @Test func twoThousandParkedRequestsNeedNoThreadEach() throws {
    let many = raiseDescriptorLimit() >= 5000 ? 2000 : 400
    let server = try TestServer()
    let clients = (0..<many).map { _ in server.client().request("POST", "/park") }
    #expect(eventually { server.handler.parked.count == many })
    #expect(server.listener.connections == many)
    #expect(threadCount() < 200)
    for exchange in server.handler.takeParked() { #expect(ToyHandler.grant(exchange)) }
    for client in clients { #expect(client.answer()?.body == "granted\n") }
    #expect(eventually { server.handler.counts.delivered == many })
  }

  /// Threads of this process, tests that run beside this one included.
  private func threadCount() -> Int {
    guard let directory = opendir("/proc/self/task") else { return 0 }
    defer { closedir(directory) }
    var count = -2
    while readdir(directory) != nil { count += 1 }
    return count
  }
}
