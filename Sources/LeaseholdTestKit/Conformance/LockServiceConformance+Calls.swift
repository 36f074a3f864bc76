import Leasehold

extension LockServiceConformance {
  /// The calls that are made with a lease, and what is seen of it.
  static let calls = [
    ConformanceScenario("a reader becomes the only one, and a reader again", needs: [.conversion]) { run in
      let lease = try run.granted { $0.mode = .shared }
      let other = try run.granted { $0.mode = .shared }
      func convert(to mode: LockMode) throws -> ConformanceRun.Asked {
        let request = ConvertRequest(lease: lease.id, on: LockName(lease.key), mode: mode, caller: run.caller)
        let client = RecordingClient()
        let outcome = run.service.convert(request, client: { client }, at: run.host.now)
        if case .waiting = outcome { _ = run.host.eventually { client.answers > 0 } }
        return ConformanceRun.Asked(outcome: outcome, client: client)
      }
      try run.expect(try convert(to: .exclusive).refusal == .locked, "a writer beside a reader")
      try run.release(other)
      let writer = try run.getsLease(try convert(to: .exclusive), "the last reader")
      try run.expect(writer.mode == .exclusive && writer.isConverted && writer.id == lease.id, "another lease")
      try run.expect(try run.acquire { $0.mode = .shared }.refusal == .locked, "a reader beside a writer")
      _ = try run.getsLease(try convert(to: .shared), "the writer")
      _ = try run.granted { $0.mode = .shared }
    },
    ConformanceScenario("several locks are taken together or not at all") { run in
      let (second, held) = (Want(LockName(try run.key("b"))), try run.granted("b"))
      try run.expect(try run.acquire("a") { $0.others = [second] }.refusal == .locked, "one of two was held")
      try run.release(try run.granted("a"))
      let waiter = try run.acquire("a", wait: .seconds(30)) { $0.others = [second] }
      try run.release(held)
      let both = try run.getsLease(waiter, "who wants both")
      try run.expect(both.parts.count == 2, "\(both.parts.count) parts")
      try run.expect(try run.acquire("b").refusal == .locked, "the second is free")
      try run.release(both)
      _ = try run.granted("b")
    },
    ConformanceScenario("a lease that is broken is over, with its reason") { run in
      let lease = try run.granted()
      var request = BreakRequest(.id(lease.id), caller: run.caller)
      request.reason = "maintenance"
      let outcome = try run.service.breakLease(request, at: run.host.now)
      try run.expect(outcome.ref == lease.ref && outcome.reason == "maintenance", "\(outcome)")
      try run.expect(run.host.eventually { run.end(lease) == .broken }, "it lives")
      _ = try run.granted()
    },
    ConformanceScenario("a lease that is handed over goes on under another id", needs: [.transfer]) { run in
      let lease = try run.granted()
      var request = TransferRequest(lease.id, caller: run.caller)
      request.owner = "the next"
      let next = try run.service.transfer(request, at: run.host.now)
      try run.expect(next.id != lease.id && next.owner == "the next" && next.fence >= lease.fence, "\(next.ref)")
      try run.expect(run.end(lease) == .released && run.end(next) == nil, "the wrong one lives")
      try run.expect(try run.acquire().refusal == .locked, "it was free for a moment")
    },
    ConformanceScenario("a lease that is bound to a connection lives as long") { run in
      let lease = try run.granted { $0.ttl = .seconds(2) }
      let request = AttachRequest(lease.id, caller: Caller(connection: 4712, peer: .unknown))
      let bound = try run.service.attach(request, at: run.host.now)
      try run.expect(bound.id == lease.id && bound.bindsConnection, "\(bound.ref)")
      run.host.pass(.milliseconds(2500))
      try run.expect(run.end(bound) == nil, "it ended by its old deadline")
      run.service.withdraw(.connection(4712), at: run.host.now)
      try run.expect(run.host.eventually { run.end(bound) == .expired }, "it lives on")
    },
    ConformanceScenario("an Idempotency-Key that is taken back counts no more") { run in
      let key = try run.key("a").text
      let lease = try run.granted("a", retry: key)
      let held = try run.granted("b")
      let waiter = try run.acquire("b", wait: .seconds(30), retry: key)
      _ = run.host.eventually { (try? run.service.lock(held.key).waiterCount) == 1 }
      let outcome = try run.service.cancel(key: key, of: run.caller, at: run.host.now)
      try run.expect(outcome.leases == [lease.ref] && outcome.waiters == 1, "\(outcome)")
      try run.expect(run.end(lease) == .released, "the lease lives")
      try run.expect(run.host.eventually { waiter.refusal == .canceled }, "the waiter waits")
      try run.expect(try run.acquire("c", retry: key).refusal == .canceled, "the key counts")
    },
    ConformanceScenario("lists and looks show what is there") { run in
      let lease = try run.granted()
      _ = try run.acquire(wait: .seconds(30))
      let lock = try run.service.lock(lease.key)
      try run.expect(lock.holders.map(\.ref) == [lease.ref] && lock.waiterCount == 1, "\(lock.holderCount) holders")
      var filter = ListFilter()
      filter.keyPrefix = lease.key.text
      let locks = try run.service.locks(filter)
      try run.expect(locks.entries.map(\.key) == [lease.key], "\(locks.entries.count) locks")
      let leases = try run.service.leases(filter)
      try run.expect(leases.entries.map(\.ref) == [lease.ref], "\(leases.entries.count) leases")
    },
    ConformanceScenario("many leases are renewed with one call, each as if it were alone") { run in
      let (first, over, last) = (try run.granted("a"), try run.granted("b"), try run.granted("c"))
      try run.release(over)
      let renewed = run.service.renew(
        [first, over, last].map(\.id), ttl: .seconds(90), within: nil, at: run.host.now)
      let codes = renewed.map { one in if case .failure(let error) = one { error.code.rawValue } else { "renewed" } }
      try run.expect(codes == ["renewed", "released", "renewed"], "\(codes)")
    },
    ConformanceScenario("another limit counts for a lock in use") { run in
      let lease = try run.granted(limit: 1)
      try run.expect(try run.acquire(limit: 1).refusal == .locked, "a second slot")
      let request = ResizeRequest(lease.key, limit: 2, isPinned: false)
      let opened = try run.service.resize(request, for: run.caller, at: run.host.now)
      try run.expect(opened.lock.capacity == 2, "\(opened.lock.capacity ?? 0) slots")
      _ = try run.granted(limit: 2)
      try run.expect(try run.acquire(limit: 2).refusal == .locked, "a third slot")
    },
    ConformanceScenario("locks are added to a lease, and end with it", needs: [.addedLocks]) { run in
      let (lease, second) = (try run.granted("a"), Want(LockName(try run.key("b"))))
      let request = AddRequest(lease.id, [second], caller: run.caller)
      let larger = try run.service.add(request, at: run.host.now)
      try run.expect(larger.id == lease.id && larger.parts.count == 2, "\(larger.parts.count) parts")
      try run.expect(try run.acquire("b").refusal == .locked, "what was added is free")
      try run.release(lease)
      _ = try run.granted("b")
    },
    ConformanceScenario("a holder's note is seen with its lease", needs: [.notes]) { run in
      let lease = try run.granted()
      let noted = try run.service.note(lease.id, "half way", within: nil, at: run.host.now)
      let seen = try run.service.lock(lease.key)
      try run.expect(noted.remarks?.note == "half way" && seen.holders.first?.remarks?.note == "half way", "\(noted)")
    },
    ConformanceScenario("a grant that a retry was told of is not taken back") { run in
      let first = try run.granted(retry: "key")
      let second = try run.granted(retry: "key")
      run.service.withdraw(.grant(first.grant), at: run.host.now)
      run.host.pass(.milliseconds(100))
      try run.expect(run.end(second) == nil, "the retry's lease is dead")
      try run.release(second)
    },
    ConformanceScenario("whoever follows a lease hears of its deadlines") { run in
      let lease = try run.granted()
      let client = RecordingClient()
      try run.expect(run.service.follow(lease.id, client: client), "a live lease cannot be followed")
      let renewed = try run.service.renew(lease.id, on: nil, ttl: .seconds(90), within: nil, at: run.host.now)
      try run.expect(
        run.host.eventually { client.deadlines.last == .some(renewed.deadline) }, "\(client.deadlines.count) deadlines")
    },
  ]
}
