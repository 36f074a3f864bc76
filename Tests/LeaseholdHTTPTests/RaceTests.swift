import Glibc
import LeaseholdHost
import Synchronization
import Testing

@testable import LeaseholdHTTP

/// Grant, hang-up, resume, reuse of descriptors and stop, all at once.
@Suite struct RaceTests {
  /// SplitMix64: the same order of events for the same seed, as far as threads allow.
  struct Generator: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
      state &+= 0x9E37_79B9_7F4A_7C15
      var mixed = state
      mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
      mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
      return mixed ^ (mixed >> 31)
    }
  }

  @Test(arguments: [1, 2])
  func grantAndHangUpRacingCompleteEachExchangeOnce(_ threads: Int) throws {
    let seed = UInt64(bitPattern: HostClock.monotonic())
    var random = Generator(state: seed)
    let server = try TestServer { $0.threads = threads }
    let handler = server.handler
    let running = Atomic<Bool>(true)
    let granter = HostThread(named: "granter") {
      while running.load(ordering: .relaxed) || !handler.parked.isEmpty {
        for exchange in handler.takeParked() { _ = ToyHandler.grant(exchange) }
        sched_yield()
      }
    }
    var answered = 0
    for _ in 0..<1500 {
      let client = server.client().request("POST", "/park")
      switch random.next() % 5 {
      case 0: client.hangUp()
      case 1: client.reset()
      case 2:
        client.halfClose()
        _ = client.answer()
      case 3:
        for _ in 0..<(random.next() % 64) { sched_yield() }
        client.hangUp()
      default: if client.answer()?.body == "granted\n" { answered += 1 }
      }
    }
    running.store(false, ordering: .relaxed)
    granter?.join()
    #expect(eventually { handler.counts.closed == 1500 }, "seed \(seed)")
    let counts = handler.counts
    #expect(counts.arrived == counts.delivered + counts.undelivered, "seed \(seed)")
    #expect(counts.delivered >= answered && counts.hungUp <= counts.undelivered, "seed \(seed)")
    #expect(handler.completionsPerExchange.isSubset(of: [1]), "seed \(seed)")
    #expect(server.listener.activeExchanges == 0 && server.listener.connections == 0)
  }

  @Test func stopRacingWithGrantsHangUpsAndNewRequestsEndsCleanly() throws {
    for round in 0..<20 {
      let server = try TestServer { $0.threads = 1 + round % 2 }
      let handler = server.handler
      let running = Atomic<Bool>(true)
      let granter = HostThread(named: "granter") {
        while running.load(ordering: .relaxed) {
          for exchange in handler.takeParked() { _ = ToyHandler.grant(exchange) }
          for stream in handler.streams { stream.put("x\n") }
        }
      }
      let port = server.port
      let caller = HostThread(named: "caller") {
        var clients: [RawClient] = []
        while running.load(ordering: .relaxed), clients.count < 400 {
          clients.append(RawClient(port: port).request("POST", clients.count % 3 == 0 ? "/stream" : "/park"))
          if clients.count % 5 == 0 { clients[clients.count / 2].hangUp() }
        }
      }
      usleep(UInt32(round) * 500)
      server.listener.stop(grace: .milliseconds(20))
      running.store(false, ordering: .relaxed)
      for thread in [granter, caller] { thread?.join() }
      let counts = handler.counts
      #expect(counts.arrived == counts.delivered + counts.undelivered, "round \(round)")
      #expect(handler.completionsPerExchange.isSubset(of: [1]), "round \(round)")
    }
  }
}
