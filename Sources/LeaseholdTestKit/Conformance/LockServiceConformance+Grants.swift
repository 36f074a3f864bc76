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
}
