import Leasehold
import LeaseholdTestKit
import Testing

/// The grace after a restart is given once, however often the daemon restarts.
@Suite struct GraceTests {
  private let scene = Scene()

  private func restart(every span: TimeSpan, times: Int) {
    for _ in 0..<times {
      scene.pass(span)
      scene.restart()
    }
  }

  @Test(arguments: [100, 500, 700, 1300, 1999] as [Int64])
  func anAbandonedLeaseEndsOneGraceAfterItsTtlWhateverTheRestarts(_ milliseconds: Int64) {
    scene.acquire("ann") { $0.ttl = .milliseconds(1500) }
    let granted = scene.daemon.clock.now
    scene.history.letGo { _ in true }
    while scene.daemon.clock.now < granted + .milliseconds(3500) {
      restart(every: .milliseconds(milliseconds), times: 1)
      if scene.daemon.clock.now < granted + .milliseconds(1500) { #expect(scene.has("ann")) }
    }
    scene.pass(.zero)
    #expect(scene.end("ann") == .expired && scene.flaws().isEmpty)
  }

  @Test func aLeaseWhoseConnectionIsGoneEndsOneGraceAfterTheFirstRestart() {
    for (who, ttl) in [("ann", TimeSpan.zero), ("bob", .seconds(60)), ("cat", .milliseconds(2100))] {
      scene.acquire(who, who) {
        $0.bindsConnection = true; $0.ttl = ttl
      }
    }
    scene.history.letGo { _ in true }
    scene.restart()
    restart(every: .milliseconds(500), times: 3)
    #expect(scene.has("ann") && scene.has("bob") && scene.has("cat"))
    restart(every: .milliseconds(500), times: 1)
    scene.pass(.zero)
    #expect(["ann", "bob", "cat"].allSatisfy { scene.end($0) == .expired } && scene.flaws().isEmpty)
  }

  @Test func aLeaseWhoseProcessCannotBeFoundEndsOneGraceAfterTheFirstRestart() {
    scene.acquire("ann") {
      $0.process = ProcessBinding(scene.daemon.processes.run(7), name: 7); $0.ttl = .zero
    }
    scene.history.letGo { _ in true }
    scene.daemon.processes.hidden = [7]
    scene.restart()
    restart(every: .milliseconds(700), times: 2)
    #expect(scene.has("ann"))
    restart(every: .milliseconds(700), times: 1)
    scene.pass(.zero)
    #expect(scene.end("ann") == .expired && scene.flaws().isEmpty)
  }

  @Test func aRenewalEarnsAnotherGrace() {
    scene.acquire("ann") { $0.ttl = .seconds(1) }
    scene.daemon.clock.advance(by: .seconds(10))
    scene.restart()
    scene.pass(.milliseconds(1900))
    #expect(scene.renew("ann") == nil)
    scene.daemon.clock.advance(by: .seconds(10))
    scene.restart()
    scene.pass(.milliseconds(1900))
    #expect(scene.has("ann"))
    scene.pass(.milliseconds(100))
    #expect(scene.end("ann") == .expired)
  }

  @Test func aNewBindingEarnsAnotherGrace() {
    let bind: (inout AcquireRequest) -> Void = {
      $0.bindsConnection = true; $0.idempotencyKey = "key"; $0.ttl = .zero
    }
    scene.acquire("ann", "a", bind)
    for _ in 0..<3 {
      scene.restart()
      scene.pass(.milliseconds(1900))
      scene.acquire("ann", "a", bind)
      #expect(scene.leases["ann"]?.replayed == true)
      scene.pass(.seconds(10))
    }
    #expect(scene.has("ann") && scene.flaws().isEmpty)
  }

  @Test func aLeaseThatNeedsNoGraceKeepsItForLater() {
    scene.acquire("ann") { $0.ttl = .seconds(10) }
    scene.restart()
    scene.daemon.clock.advance(by: .seconds(20))
    scene.restart()
    scene.pass(.milliseconds(1999))
    #expect(scene.has("ann"))
    scene.pass(.milliseconds(1))
    #expect(scene.end("ann") == .expired)
  }

  @Test func aBreakInTheGraceIsTheEndAfterEveryRestart() {
    scene.acquire("ann") { $0.ttl = .milliseconds(100) }
    scene.daemon.clock.advance(by: .seconds(1))
    scene.restart()
    scene.breaks("ann", after: .milliseconds(1500))
    scene.restart()
    scene.pass(.milliseconds(1499))
    #expect(scene.has("ann"))
    scene.pass(.milliseconds(1))
    #expect(!scene.has("ann") && scene.flaws().isEmpty)
  }

  @Test func aGraceThatSomebodyScribbledIsNoReasonToLastForEver() {
    scene.acquire("ann") { $0.ttl = .seconds(1) }
    scene.acquire("bob", "b") {
      $0.bindsConnection = true; $0.ttl = .zero
    }
    scene.history.letGo { _ in true }
    for cell in 0..<4 { scene.daemon.storage.scribble(.max >> 1, word: 1, at: cell) }
    scene.restart()
    scene.pass(.seconds(2))
    #expect(!scene.has("ann") && !scene.has("bob") && scene.flaws().isEmpty)
  }
}
