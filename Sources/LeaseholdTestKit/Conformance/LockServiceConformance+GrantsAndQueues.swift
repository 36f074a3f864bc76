import Leasehold

extension LockServiceConformance {
  /// The grants at once.
  static let grants = [
    ConformanceScenario("a writer is alone") { run in
      let lease = try run.granted()
      try run.expect(try run.acquire().refusal == .locked, "two writers")
      try run.expect(try run.acquire { $0.mode = .shared }.refusal == .locked, "a reader beside a writer")
      try run.release(lease)
      _ = try run.granted()
    },
    ConformanceScenario("readers share") { run in
      _ = try run.granted { $0.mode = .shared }
      _ = try run.granted { $0.mode = .shared }
      try run.expect(try run.acquire().refusal == .locked, "a writer beside readers")
    },
    ConformanceScenario("slots are counted") { run in
      let lease = try run.granted(limit: 3, count: 2)
      try run.expect(try run.acquire(limit: 3, count: 2).refusal == .locked, "four of three slots")
      _ = try run.granted(limit: 3)
      try run.expect(try run.acquire(limit: 3, count: 4).refusal == .countExceedsLimit, "four slots of three")
      try run.expect(try run.acquire(limit: 4).refusal == .limitMismatch, "another limit")
      try run.expect(try run.acquire().refusal == .kindMismatch, "another kind")
      try run.release(lease)
      _ = try run.granted(limit: 3, count: 2)
    },
    ConformanceScenario("fences grow") { run in
      var last: Int64 = 0
      for name in ["a", "b", "a", "c"] {
        let lease = try run.granted(name)
        try run.expect(lease.fence > last, "fence \(lease.fence) after \(last)")
        last = lease.fence
        try run.release(lease)
      }
    },
    ConformanceScenario("a retry gets the same lease") { run in
      let first = try run.granted(retry: "key")
      let second = try run.granted(retry: "key")
      try run.expect(first.id == second.id && second.replayed && !first.replayed, "another lease")
      let other = try run.acquire(retry: "key") { $0.owner = "somebody else" }
      try run.expect(other.refusal == .idempotencyMismatch, "another request with the same key")
      try run.release(first)
      try run.expect(try run.acquire(retry: "key").refusal == .released, "a lease that is over")
    },
    ConformanceScenario("native programs take part", needs: [.semaphores]) { run in
      let lease = try run.granted(limit: 2)
      try run.expect(run.host.operate(-1, on: lease.place), "a free slot could not be taken natively")
      try run.expect(!run.host.operate(-1, on: lease.place), "a slot that is leased was taken natively")
      try run.expect(try run.acquire(limit: 2).refusal == .locked, "a slot that is taken natively was granted")
      let waiter = try run.acquire(limit: 2, wait: .seconds(30))
      try run.expect(run.host.operate(1, on: lease.place), "a slot could not be given back natively")
      try run.release(try run.getsLease(waiter, "who waited for a native program"))
      try run.release(lease)
    },
    ConformanceScenario("a removed lock ends what is on it") { run in
      let lease = try run.granted()
      let waiter = try run.acquire(wait: .seconds(30))
      func remove(force: Bool) -> LeaseholdError.Code? {
        run.refusal(try run.service.remove(LockName(lease.key), force: force, within: nil, at: run.host.now))?.code
      }
      try run.expect(remove(force: false) == .inUse, "a lock in use was removed")
      try run.expect(remove(force: true) == nil, "force did not remove it")
      try run.expect(run.end(lease) == .lockRemoved, "its lease lives")
      try run.expect(
        run.host.eventually { waiter.client.answers > 0 } && waiter.refusal == .lockRemoved, "a waiter stays")
      try run.expect(remove(force: false) == .noSuchLock, "it is still known")
    },
  ]

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
      if case .waiting(let waiter, _) = first.outcome { run.service.withdraw(.waiter(waiter), at: run.host.now) }
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
