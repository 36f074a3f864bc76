import Leasehold

/// Compares records, semaphores and the ledger's own numbers.
///
/// True between any two calls of the ledger.
package enum Invariants {
  /// Everything that is wrong; empty when nothing is.
  ///
  /// - Parameter damaged: True when a program wrote semaphores that belong to the ledger: then units are not compared.
  package static func check(_ daemon: SimulatedDaemon, damaged: Bool = false) -> [String] {
    let records = RawRecords(daemon.storage)
    var wrong = records.flaws + daemon.storage.violations + daemon.waiting.violations
    wrong += checkNumbers(records, daemon)
    wrong += checkTexts(records)
    wrong += checkReferences(records)
    if !damaged { wrong += checkUnits(records, daemon) }
    return wrong
  }

  /// Checks that the ledger says of itself what the records say, and that no record leaks.
  private static func checkNumbers(_ records: RawRecords, _ daemon: SimulatedDaemon) -> [String] {
    let status = daemon.ledger.status()
    var wrong: [String] = []
    func expect(_ actual: Int, _ expected: Int, _ what: String) {
      if actual != expected { wrong.append("the ledger has \(actual) \(what), the records say \(expected)") }
    }
    expect(
      status.leases + status.cooling + status.suspects, records.leases.count { !$0.isPart },
      "leases, cooling ones included,")
    expect(status.cooling, records.leases.count { $0.isCooling && !$0.isPart }, "leases that cool down")
    expect(status.locks, records.locks.count { !$0.isHidden }, "locks")
    expect(status.ledger?.records ?? 0, records.count, "records in use")
    let listed = daemon.ledger.locks(ListFilter()).entries
    for lock in listed {
      guard let capacity = lock.capacity, lock.heldUnits > capacity + (lock.terms?.owed ?? 0) else { continue }
      wrong.append("\(lock.heldUnits) units of lock '\(lock.key)' are out, it has \(capacity)")
    }
    return wrong
  }

  /// A text belongs to exactly one record.
  private static func checkTexts(_ records: RawRecords) -> [String] {
    var unreferenced = Set(records.texts.keys)
    var wrong: [String] = []
    let owners = records.leases.map(\.textCell) + records.locks.map(\.textCell) + records.terms.values.map(\.textCell)
    for first in owners {
      var cell = first
      while cell != .max {
        guard let next = records.texts[Int(cell)], unreferenced.remove(Int(cell)) != nil else {
          wrong.append("text record \(cell) is free, or referenced twice")
          break
        }
        cell = next
      }
    }
    if !unreferenced.isEmpty { wrong.append("text records \(unreferenced.sorted()) belong to nobody") }
    return wrong
  }

  /// Checks that each lease stands on a lock in use, and that identifiers, fences and places are there once.
  private static func checkReferences(_ records: RawRecords) -> [String] {
    var wrong: [String] = []
    let locks = Set(records.locks.filter(\.isLive).map(\.cell))
    if locks.count != records.locks.count { wrong.append("a lock was left half made or half removed") }
    for lease in records.leases where !locks.contains(lease.lockCell) {
      wrong.append("the lease in record \(lease.cell) stands on record \(lease.lockCell), which is no lock in use")
    }
    var heads = Set(records.leases.filter { !$0.isPart }.map(\.fence))
    for part in records.leases { if let group = part.addedTo, heads.contains(group) { heads.insert(part.fence) } }
    let isTransferred = records.leases.contains(where: \.hasGroup)
    for part in records.leases where part.isPart && !isTransferred && !heads.contains(part.fence) {
      wrong.append("the part in record \(part.cell) has no lease")
    }
    for (lock, terms) in records.terms where !locks.contains(lock) {
      wrong.append("the terms in record \(terms.cell) are for record \(lock), which is no lock in use")
    }
    wrong += checkSlots(records)
    let all = (records.leases + records.ends).filter { !$0.isPart }
    if Set(all.map(\.id)).count != all.count { wrong.append("two records have the same lease id") }
    if Set(all.map(\.fence)).count != all.count { wrong.append("two leases have the same fence") }
    let places = records.locks.map { "\($0.set):\($0.place)" }
    if Set(places).count != places.count { wrong.append("two locks have the same place") }
    return wrong
  }

  /// Checks that a slot with a name has one lease at most, and a lease as many slots as units.
  private static func checkSlots(_ records: RawRecords) -> [String] {
    var held: [Int: UInt64] = [:]
    var wrong: [String] = []
    for lease in records.leases where records.terms[lease.lockCell]?.names ?? 0 != 0 {
      if held[lease.lockCell, default: 0] & lease.slots != 0 { wrong.append("a slot has two leases") }
      held[lease.lockCell, default: 0] |= lease.slots
      if lease.slots.nonzeroBitCount != lease.units {
        wrong.append("the lease in record \(lease.cell) has \(lease.units) units and the slots \(lease.slots)")
      }
    }
    return wrong
  }

  /// Checks for each place that the kernel's count of units out is that of the records, and that every unit is
  /// somewhere.
  private static func checkUnits(_ records: RawRecords, _ daemon: SimulatedDaemon) -> [String] {
    var wrong: [String] = []
    let kernel = daemon.kernel
    var out: [Int: Int] = [:]
    for lease in records.leases { out[lease.lockCell, default: 0] += lease.units }
    for bank in kernel.banks() {
      guard let values = kernel.bankValues(bank.set) else {
        wrong.append("set \(bank.set) was never finished")
        continue
      }
      let locks = records.locks.filter { $0.set == bank.set }
      // A place that is touched shows in one of its three semaphores, or in a record.
      var touched = Set(locks.map(\.place))
      var semaphore = 0
      while semaphore < NamedDialect.trailer {
        if values[semaphore] != 0 { touched.insert(semaphore % NamedDialect.locksPerBank) }
        semaphore += 1
      }
      for place in touched.sorted() {
        let lock = locks.first { $0.place == place }
        let units = lock.map { out[$0.cell] ?? 0 } ?? 0
        // Between two calls as much is withheld as is not in use, but for what a native program has just given back.
        let surplus = lock.flatMap { lock in records.terms[lock.cell].map { max(0, lock.capacity - $0.limit) } } ?? 0
        let withheld = max(0, min(surplus, Int(values[NamedDialect(place: place).ledger]) - units))
        if lock != nil, values[place] > 0, withheld < surplus, kernel.lastProcess(bank.set, place) == kernel.process {
          wrong.append("place \(place) of set \(bank.set): \(values[place]) are free, and \(surplus - withheld) owed")
        }
        wrong += checkPlace(NamedDialect(place: place), bank.set, values, lock, out: units + withheld, daemon)
      }
    }
    return wrong
  }

  private static func checkPlace(
    _ dialect: NamedDialect, _ set: Int32, _ values: [UInt16], _ lock: RawRecords.RawLock?, out: Int,
    _ daemon: SimulatedDaemon
  ) -> [String] {
    let kernel = daemon.kernel
    var wrong: [String] = []
    let name = "place \(dialect.place) of set \(set)"
    if Int(values[dialect.ledger]) != out {
      wrong.append("\(name): the kernel counts \(values[dialect.ledger]) units out, the records \(out)")
    }
    let capacity = Int(values[dialect.live])
    if let lock, lock.capacity != capacity { wrong.append("\(name): capacity \(capacity), not \(lock.capacity)") }
    let free = Int(values[dialect.semaphore])
    let waited = kernel.adjustment(of: SimulatedKernel.daemon, set: set, semaphore: dialect.semaphore)
    let native = kernel.nativeUnits(set, dialect.semaphore)
    if waited != daemon.waiting.unitsOnTheWay(set, dialect.semaphore) {
      wrong.append("\(name): \(waited) units were waited for, and nobody wants them or gives them back")
    }
    if lock == nil, capacity != 0, native == 0, waited == 0 { wrong.append("\(name) is in use by no lock") }
    if free + out + waited + native != capacity {
      wrong.append("\(name): \(free) free, \(out) out, \(waited) waited, \(native) native of \(capacity)")
    }
    return wrong
  }
}
