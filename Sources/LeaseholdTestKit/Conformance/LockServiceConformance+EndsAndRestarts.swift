import Leasehold

extension LockServiceConformance {
  /// The ways in which leases end.
  static let ends = [
    ConformanceScenario("a lease ends at its deadline", needs: [.shortLeases]) { run in
      let lease = try run.granted { $0.ttl = .milliseconds(200) }
      run.host.pass(.milliseconds(100))
      try run.expect(run.end(lease) == nil, "it ended early")
      run.host.pass(.milliseconds(150))
      try run.expect(run.host.eventually { run.end(lease) == .expired }, "it did not end")
      _ = try run.granted()
    },
    ConformanceScenario("a renewal keeps a lease alive", needs: [.shortLeases]) { run in
      let lease = try run.granted { $0.ttl = .milliseconds(300) }
      for _ in 0..<3 {
        run.host.pass(.milliseconds(150))
        let renewed = try? run.service.renew(lease.id, on: nil, ttl: nil, within: nil, at: run.host.now)
        try run.expect(renewed?.deadline.map { $0 > run.host.now } == true, "it could not be renewed")
      }
      _ = try? run.service.renew(lease.id, on: nil, ttl: .milliseconds(100), within: nil, at: run.host.now)
      run.host.pass(.milliseconds(150))
      try run.expect(run.host.eventually { run.end(lease) == .expired }, "an earlier deadline did not count")
    },
    ConformanceScenario("expiry hands the lock on", needs: [.shortLeases]) { run in
      _ = try run.granted { $0.ttl = .milliseconds(200) }
      let waiter = try run.acquire(wait: .seconds(30))
      run.host.pass(.milliseconds(250))
      _ = try run.getsLease(waiter, "who waited")
    },
    ConformanceScenario("a cooldown keeps the slots", needs: [.cooldown, .shortLeases]) { run in
      let lease = try run.granted {
        $0.ttl = .milliseconds(100); $0.cooldown = .milliseconds(400)
      }
      run.host.pass(.milliseconds(200))
      try run.expect(run.host.eventually { run.end(lease) == .expired }, "it did not end")
      try run.expect(try run.acquire().refusal == .locked, "no cooldown")
      run.host.pass(.milliseconds(500))
      _ = try run.granted()
    },
    ConformanceScenario("what is bound to a connection ends with it", needs: [.endlessLeases]) { run in
      let bound = try run.granted("a") {
        $0.bindsConnection = true; $0.ttl = .zero; $0.caller = $0.caller.with(connection: 4711)
      }
      let free = try run.granted("b") { $0.caller = $0.caller.with(connection: 4711) }
      try run.expect(bound.deadline == nil, "it has a deadline")
      run.service.withdraw(.connection(4711), at: run.host.now)
      try run.expect(run.end(bound) == .expired && run.end(free) == nil, "the wrong lease ended")
    },
    ConformanceScenario("whoever follows a lease hears of its end once") { run in
      let lease = try run.granted()
      let client = RecordingClient()
      try run.expect(run.service.follow(lease.id, client: client), "a live lease cannot be followed")
      try run.release(lease)
      try run.release(lease)
      try run.expect(run.host.eventually { client.ends > 0 } && client.end == .released, "nothing was heard")
      try run.expect(client.ends == 1, "it was heard twice")
      try run.expect(!run.service.follow(lease.id, client: client), "a lease that is over can be followed")
    },
    ConformanceScenario("an operator is told how a lease ended, by its id and its ref, and of all its locks") { run in
      let second = Want(LockName(try run.key("b")))
      let lease = try run.granted("a") { $0.others = [second] }
      try run.release(lease)
      for name in [.id(lease.id), LeaseName(hexadecimal: Array(lease.ref.utf8))].compactMap(\.self) {
        let error = run.refusal(try run.service.breakLease(BreakRequest(name, caller: run.caller), at: run.host.now))
        var locks: [String]?
        if case .texts(let texts)? = error?.facts.first(where: { $0.name == "locks" })?.value { locks = texts }
        try run.expect(error?.code == .released, "\(name): \(error?.code.rawValue ?? "what is over was broken")")
        try run.expect(locks == [try run.key("a").text, try run.key("b").text], "\(name): \(locks ?? [])")
      }
    },
    ConformanceScenario("all leases of an owner are released") { run in
      let owner = "conformance \(run.host.now.nanoseconds)"
      let first = try run.granted("a") { $0.owner = owner }
      let second = try run.granted("b") { $0.owner = owner }
      let other = try run.granted("c") { $0.owner = "somebody else" }
      let refs = try? run.service.releaseAll(owner: owner, key: nil, of: nil, within: nil, at: run.host.now)
      try run.expect(refs.map(Set.init) == [first.ref, second.ref], "\(refs ?? []) were released")
      try run.expect(run.end(other) == nil && run.end(first) == .released, "the wrong lease ended")
    },
  ]

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
