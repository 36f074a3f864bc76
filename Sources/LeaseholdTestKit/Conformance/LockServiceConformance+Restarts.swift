import Leasehold

extension LockServiceConformance {
  /// The state that a restart leaves.
  static let restarts = [
    ConformanceScenario("leases survive a restart") { run in
      let lease = try run.granted("a", retry: "key") { $0.owner = "ann" }
      let over = try run.granted("b")
      try run.release(over)
      guard run.host.restart() else { return }
      let found = try? run.service.lease(lease.id, at: run.host.now)
      try run.expect(found?.fence == lease.fence && found?.owner == "ann", "the lease is gone or changed")
      try run.expect(run.end(over) == .released, "an end was forgotten")
      try run.expect(try run.acquire("a").refusal == .locked, "two writers")
      let retry = try run.granted("a", retry: "key") { $0.owner = "ann" }
      try run.expect(retry.id == lease.id && retry.replayed, "a retry got another lease")
      try run.expect(try run.granted("c").fence > lease.fence, "a fence came again")
      try run.release(lease)
      _ = try run.granted("a")
    },
    ConformanceScenario("what lost its connection in a restart is bound anew or ends") { run in
      let lost = try run.granted("a") { $0.bindsConnection = true }
      let kept = try run.granted("b", retry: "key") { $0.bindsConnection = true }
      guard run.host.restart() else { return }
      _ = try run.granted("b", retry: "key") {
        $0.bindsConnection = true; $0.caller = $0.caller.with(connection: 99)
      }
      run.host.pass(.milliseconds(2500))
      try run.expect(run.host.eventually { run.end(lost) == .expired }, "it lives without a connection")
      try run.expect(run.end(kept) == nil, "what was bound anew ended")
    },
  ]
}
