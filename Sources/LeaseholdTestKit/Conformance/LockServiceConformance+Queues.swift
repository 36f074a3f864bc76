import Leasehold

extension LockServiceConformance {
  /// The grants after a wait.
  static let queues = [
    ConformanceScenario("waiters are served in order") { run in
      var holder = try run.granted()
      var waiters: [ConformanceRun.Asked] = []
      for _ in 0..<3 { waiters.append(try run.acquire(wait: .seconds(30))) }
      for (index, waiter) in waiters.enumerated() {
        try run.expect(waiter.client.answers == 0, "waiter \(index) was answered too early")
        try run.release(holder)
        holder = try run.getsLease(waiter, "waiter \(index)")
      }
    },
    ConformanceScenario("nobody overtakes who came first") { run in
      let first = try run.granted(limit: 4, count: 3)
      let big = try run.acquire(limit: 4, count: 2, wait: .seconds(30))
      try run.expect(try run.acquire(limit: 4).refusal == .locked, "a small count overtook at once")
      let small = try run.acquire(limit: 4, wait: .seconds(30))
      try run.expect(small.client.answers == 0 && big.client.answers == 0, "a small count overtook in the queue")
      try run.release(first)
      _ = try run.getsLease(big, "the big one")
      _ = try run.getsLease(small, "the small one")
    },
    ConformanceScenario("a wait ends with its time") { run in
      _ = try run.granted()
      let waiter = try run.acquire(wait: .milliseconds(200))
      run.host.pass(.milliseconds(100))
      try run.expect(waiter.client.answers == 0, "it ended early")
      run.host.pass(.milliseconds(150))
      _ = run.host.eventually { waiter.client.answers > 0 }
      try run.expect(waiter.refusal == .waitTimeout, "it did not end")
    },
    ConformanceScenario("who stops waiting gets nothing") { run in
      let holder = try run.granted()
      let first = try run.acquire(wait: .seconds(30))
      let second = try run.acquire(wait: .seconds(30))
      if let waiter = first.waiter { run.service.withdraw(.waiter(waiter), at: run.host.now) }
      try run.release(holder)
      _ = try run.getsLease(second, "the next")
      try run.expect(first.client.answers == 0, "who went was answered")
    },
    ConformanceScenario("a grant that cannot be delivered goes on") { run in
      let holder = try run.granted()
      let first = try run.acquire(wait: .seconds(30))
      let second = try run.acquire(wait: .seconds(30))
      try run.release(holder)
      let lost = try run.getsLease(first, "the first")
      run.service.withdraw(.grant(lost.grant), at: run.host.now)
      _ = try run.getsLease(second, "the next")
      try run.expect(run.end(lost) == .undelivered, "the lost lease lives")
    },
    ConformanceScenario("a request may refuse to be one of many") { run in
      _ = try run.granted()
      _ = try run.acquire(wait: .seconds(30))
      let third = try run.acquire(wait: .seconds(30)) { $0.maxWaiters = 1 }
      try run.expect(third.refusal == .queueFull, "it queued")
    },
    ConformanceScenario("a removed set costs its leases and no waiter", needs: [.semaphores]) { run in
      let holder = try run.granted()
      let waiter = try run.acquire(wait: .seconds(30))
      run.host.removeSet(holder.place)
      run.host.pass(.milliseconds(1200))
      _ = try run.getsLease(waiter, "who waited")
      try run.expect(run.end(holder) == .setRemoved, "a lease without a semaphore lives")
    },
  ]
}
