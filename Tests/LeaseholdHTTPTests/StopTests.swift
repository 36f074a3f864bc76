import Glibc
import LeaseholdHost
import Testing

@testable import LeaseholdHTTP

@Suite struct StopTests {
  @Test func stoppingAnswersWhatIsParkedAndRefusesNewConnections() throws {
    let server = try TestServer()
    let port = server.port
    let clients = (0..<100).map { _ in server.client().request("POST", "/park") }
    #expect(eventually { server.handler.parked.count == 100 })
    server.stop()
    for client in clients {
      let answer = client.answer()
      #expect(answer?.status == 503)
      #expect(answer?.headers["connection"] == "close")
    }
    #expect(
      eventually {
        server.handler.counts == .init(arrived: 100, delivered: 100, undelivered: 0, hungUp: 0, closed: 100)
      })
    for exchange in server.handler.takeParked() { #expect(!ToyHandler.grant(exchange)) }
    #expect(RawClient(port: port).request("GET", "/").answer() == nil)
  }

  @Test func stoppingCutsAStreamOff() throws {
    let server = try TestServer()
    let client = server.client().request("GET", "/stream")
    #expect(eventually { server.handler.streams.count == 1 })
    server.handler.streams[0].put("one\n")
    #expect(client.answer(head: true)?.status == 200)
    #expect(client.chunk() == "one\n")
    server.stop()
    #expect(client.chunk() == nil)
    #expect(
      eventually { server.handler.counts == .init(arrived: 1, delivered: 0, undelivered: 1, hungUp: 0, closed: 1) })
  }

  @Test func quiescedListenersServeTheirConnectionsAndCloseThemOneByOne() throws {
    let server = try TestServer()
    let client = server.client()
    #expect(client.request("GET", "/a").answer()?.headers["connection"] == nil)
    server.listener.quiesce()
    #expect(RawClient(port: server.port).request("GET", "/").answer() == nil)
    #expect(client.request("GET", "/b").answer()?.headers["connection"] == "close")
    #expect(client.isClosed())
  }

  @Test func quiescingUnderLoadNeverAborts() throws {
    for round in 0..<20 {
      let server = try TestServer { $0.threads = 1 + round % 2 }
      let port = server.port
      let callers = (0..<3).map { _ in
        HostThread(named: "caller") {
          let client = RawClient(port: port)
          while client.request("GET", "/a").answer() != nil {}
          while RawClient(port: port).request("GET", "/b").answer() != nil {}
        }
      }
      usleep(3000)
      server.listener.quiesce()
      for caller in callers { caller?.join() }
    }
  }

  @Test func anExchangeCanBeParkedNoMoreOnceTheListenerStops() throws {
    let server = try TestServer()
    let client = server.client()
    #expect(client.request("GET", "/a").answer()?.status == 200)
    server.listener.stop(grace: .zero)
    #expect(client.request("GET", "/park").answer() == nil)
  }
}
