package import Leasehold

/// A record of what clients were told, and of whether it was kept: the view from outside, which crashes do not change.
package final class History {
  private struct Told {
    var lease: LeaseSnapshot
    /// Its end as told, in nanoseconds; the highest number for none.
    var deadline: Int64
    /// Its end because a restart lost its connection.
    var graceEnd = Int64.max
    /// A conversion was asked for and its answer never heard: its form is not known.
    var mayDiffer = false

    /// The same without an end.
    var forever: Self {
      var entry = self
      (entry.deadline, entry.graceEnd) = (.max, .max)
      return entry
    }
  }

  private var told: [LeaseID: Told] = [:]
  /// Over for its client, while its slots stay taken all the same: until an instant that the client was told, or until
  /// its process is over.
  private var kept: [LeaseID: Told] = [:]
  /// The last lease that a client let go.
  private var lastGone: Told?
  private var queues: [LockKey: [Int]] = [:]
  private var overtaken: [(waiter: Int, by: Int, key: LockKey)] = []
  private var lastFence: Int64 = 0
  /// The highest fence before the step that goes on.
  private var fenceBefore: Int64 = 0
  /// Promises that were broken.
  package private(set) var violations: [String] = []

  /// A history in which no client was told anything yet.
  package init() {}

  /// The leases that a client counts on.
  package var leases: [LeaseSnapshot] { told.values.map(\.lease).sorted { $0.fence < $1.fence } }

  /// A client was told of a lease.
  package func granted(_ lease: LeaseSnapshot) {
    // The grants of one step may be heard of in any order.
    if !lease.replayed, lease.fence <= fenceBefore {
      violations.append("fence \(lease.fence) came after \(fenceBefore)")
    }
    lastFence = max(lastFence, lease.fence)
    told[lease.id] = Told(lease: lease, deadline: lease.deadline?.nanoseconds ?? .max)
  }

  /// A client was told of a new deadline.
  package func renewed(_ lease: LeaseSnapshot) { told[lease.id]?.deadline = lease.deadline?.nanoseconds ?? .max }

  /// A client was told of another form of its lease.
  package func converted(_ lease: LeaseSnapshot) {
    told[lease.id]?.lease = lease
    told[lease.id]?.mayDiffer = false
  }

  /// A client asked for another form of its lease and did not hear whether it has that.
  package func askedToConvert(_ id: LeaseID) { told[id]?.mayDiffer = true }

  /// A client does not count on a lease any more: it asked for its end, or heard of it.
  package func letGo(_ id: LeaseID) { lastGone = told.removeValue(forKey: id) ?? kept.removeValue(forKey: id) }

  /// A client that let a lease go heard that its slots stay taken until an instant.
  package func keeps(_ id: LeaseID, until end: MonotonicInstant) {
    guard var gone = lastGone, gone.lease.id == id, !gone.mayDiffer else { return }
    gone.deadline = end.nanoseconds
    kept[id] = gone
  }

  /// An operator ends a lease now; of one that is stopped the slots stay taken until its process is over.
  package func isBroken(_ id: LeaseID, _ processes: SimulatedProcesses) {
    guard let entry = told[id] else { return }
    letGo(id)
    if !entry.mayDiffer, processes.stops(entry.lease) { kept[id] = entry.forever }
  }

  /// Clients do not count on some leases any more.
  package func letGo(where condition: (LeaseSnapshot) -> Bool) {
    told = told.filter { !condition($0.value.lease) }
    kept = kept.filter { !condition($0.value.lease) }
  }

  /// A client asked for an earlier end and never heard whether that was done.
  package func shorten(_ id: LeaseID, to deadline: Int64) {
    guard let known = told[id]?.deadline else { return }
    told[id]?.deadline = min(known, deadline)
  }

  /// The daemon died and another one is up.
  ///
  /// What is bound to a connection, or to a process that cannot be seen, is promised for the grace only, queues are
  /// gone, and fences in records count as used.
  package func crashed(_ daemon: SimulatedDaemon) {
    queues = [:]
    let end = (daemon.clock.now + daemon.limits.recoveryGrace).nanoseconds
    for (id, entry) in told {
      let isHidden = entry.lease.process.map(daemon.processes.hidden.contains) ?? false
      if entry.lease.bindsConnection || isHidden { told[id]?.graceEnd = min(end, entry.graceEnd) }
    }
    let records = RawRecords(daemon.storage)
    for lease in records.leases + records.ends { lastFence = max(lastFence, lease.fence) }
  }

  /// The monotonic clock begins somewhere else for the next daemon: the time that is left stays.
  package func clockMoved(by span: TimeSpan) {
    for (id, entry) in told {
      if entry.deadline < .max { told[id]?.deadline += span.nanoseconds }
      if entry.graceEnd < .max { told[id]?.graceEnd += span.nanoseconds }
    }
    for id in kept.keys { kept[id]?.deadline += span.nanoseconds }
  }

  // MARK: Queues

  /// A client waits.
  package func queued(_ client: Int, for key: LockKey) { queues[key, default: []].append(client) }

  /// A client took another one's place.
  package func replaced(_ client: Int, by successor: Int, for key: LockKey) {
    queues[key] = queues[key]?.map { $0 == client ? successor : $0 }
  }

  /// A client that waited was granted its lease: the clients that came before must be gone.
  package func served(_ client: Int, for key: LockKey) {
    if let first = queues[key]?.first, first != client {
      violations.append("client \(client) got '\(key)' before client \(first), who came first")
    }
    left(client, key)
  }

  /// A client that did not wait was granted a lease: the waiters must have been served in the same step.
  package func servedAtOnce(_ client: Int, for key: LockKey) {
    for waiter in queues[key] ?? [] { overtaken.append((waiter, client, key)) }
  }

  /// A client does not wait any more.
  package func left(_ client: Int, _ key: LockKey) { queues[key]?.removeAll { $0 == client } }

  // MARK: Checks

  /// Checks that each lease that a client counts on lives, and that all of them fit together; answers what is wrong.
  package func check(_ daemon: SimulatedDaemon) -> [String] {
    var wrong = violations
    for (waiter, client, key) in overtaken where queues[key]?.contains(waiter) == true {
      wrong.append("client \(client) got '\(key)' at once while client \(waiter) waited")
    }
    overtaken = []
    fenceBefore = lastFence
    let now = daemon.clock.now.nanoseconds
    func counts(_ entry: Told) -> Bool {
      // A program that removes a set ends what stands on it.
      min(entry.deadline, entry.graceEnd) > now
        && entry.lease.places.allSatisfy { daemon.kernel.value($0.place.id, 0) != nil }
    }
    for (id, entry) in told where !counts(entry) && !entry.mayDiffer && daemon.processes.stops(entry.lease) {
      kept[id] = entry.forever
    }
    told = told.filter { counts($0.value) }
    kept = kept.filter { counts($0.value) }
    var places: [SemaphoreBinding: [LeasePart]] = [:]
    for (id, entry) in told {
      guard let lease = try? daemon.ledger.lease(id) else {
        wrong.append("lease \(id.ref) on '\(entry.lease.key)' is gone before its deadline")
        continue
      }
      if entry.mayDiffer { continue }
      for place in entry.lease.places { places[place.place, default: []].append(place) }
      if lease.fence != entry.lease.fence || lease.places.map(\.units) != entry.lease.places.map(\.units) {
        wrong.append("lease \(id.ref) changed")
      }
    }
    for entry in kept.values { for place in entry.lease.places { places[place.place, default: []].append(place) } }
    for (binding, leases) in places { wrong += checkExclusion(leases, binding, daemon.kernel) }
    return wrong
  }

  private func checkExclusion(
    _ leases: [LeasePart], _ binding: SemaphoreBinding, _ kernel: SimulatedKernel
  ) -> [String] {
    let dialect = NamedDialect(place: binding.semaphore)
    guard let capacity = kernel.value(binding.id, dialect.live) else { return [] }
    var wrong: [String] = []
    let native = kernel.nativeUnits(binding.id, binding.semaphore)
    let units = leases.reduce(native) { $0 + $1.units }
    guard let key = leases.first?.key else { return [] }
    if units > capacity { wrong.append("\(units) units of '\(key)' are held, it has \(capacity)") }
    let readersWriter = leases.filter { $0.kind == .readersWriter }
    if readersWriter.contains(where: { $0.mode == .exclusive }), readersWriter.count > 1 {
      wrong.append("a writer of '\(key)' is not alone")
    }
    return wrong
  }
}

extension LeaseSnapshot {
  /// The parts that it has of each lock.
  package var places: [LeasePart] {
    parts.isEmpty
      ? [LeasePart(key: key, kind: kind, mode: mode, count: count, units: units, limitApplied: nil, binding: binding)]
      : parts
  }
}
