// Recovery of what was under way where native programs count themselves, too.
//
// Only the units of records that are marked (Counts.swift) may be given back, and only when they are in the
// value for sure: whatever else it counts may be natives'. What tells, in this order:
//
//   1. the value does not cover them besides the leases that stand: they are not in it
//   2. the counter was last changed by the dead daemon: it is where it was, or a whole unit away
//   3. the lock's own semaphore, where that is another one, was last changed by the dead daemon: it tells exactly, but
//      for what a thread that waited may have had; so in that case it is asked last
//   4. natives were few right before, and as many are now as if a whole unit of the value were not theirs
//
// Otherwise nobody can know. Then the units stay as they are, and a suspect stands for them, which goes as soon as the
// value does not cover it.

extension ScannedLease {
  var isTaking: Bool { word.state == .arming }
  fileprivate var witness: CountWitness? { CountWitness(word: UInt64(bitPattern: record.endedAt)) }
}

extension Ledger {
  /// So many natives more or fewer are nothing unusual after a crash.
  private static let usualChange = 64

  /// Ends or forgets what was under way, by what the kernel tells.
  func resolveUnderway(_ found: inout ScanResult, at moment: Moment) {
    var left = found.underway
    found.underway = []
    while let first = left.first {
      // What was taken together has the same values.
      let group = left.filter { $0.isTaking && isSame($0, first) }
      let members = first.isTaking ? group : [first]
      left.removeAll { one in members.contains { $0.cell == one.cell } }
      resolve(members, &found, at: moment)
    }
  }

  private func isSame(_ one: ScannedLease, _ other: ScannedLease) -> Bool {
    one.isTaking == other.isTaking && one.record.lockCell == other.record.lockCell
      && one.record.mode == other.record.mode && one.record.fence == other.record.fence
  }

  private func resolve(_ group: [ScannedLease], _ found: inout ScanResult, at moment: Moment) {
    let record = group[0].record
    guard let lock = lockTable[record.lockCell], let counter = lock.counter(of: record.mode) else {
      for one in group { close(one, &found, at: moment) }
      return
    }
    switch isCounted(group, by: counter, on: lock, found) {
    case false?: for one in group { close(one, &found, at: moment) }
    case true?:
      for one in group {
        journal.gaveBack(giveBack(one.cell, one.record, one.word.reason ?? .undelivered, on: lock))
        close(one, &found, at: moment)
      }
    case nil:
      for one in group { suspect(one, &found) }
    }
  }

  /// Returns true when units are in the value still; `nil` when nobody can know.
  private func isCounted(
    _ group: [ScannedLease], by counter: LeaseCounter, on lock: Lock, _ found: ScanResult
  ) -> Bool? {
    guard let native = lock.place.native, case .values(let values) = lockTable.read(native) else { return nil }
    let units = group.reduce(0) { $0 + $1.record.units }
    let weight = units * counter.weight
    let standing = (found.leases.map(\.record) + found.parts.map(\.record)).filter {
      $0.lockCell == lock.cell && counter.counts($0.mode)
    }
    let leases = standing.reduce(0) { $0 + $1.units } * counter.weight
    let value = Int(values[counter.semaphore])
    guard value - leases >= weight else { return false }
    // A take without values was not begun; the time of an end takes their place when that is done.
    guard let witness = group[0].witness else {
      return group[0].isTaking || group[0].record.endedAt != 0 ? false : nil
    }
    // The values of a give-back that recovery began are written before the record is marked.
    let isTaking = group[0].isTaking && !witness.isOfEnd
    // What the value was without these units.
    let without = isTaking ? witness.count : witness.count - weight
    if lockTable.lastProcess(lock.set.set, counter.semaphore) == witness.process {
      return value - without >= weight / 2
    }
    let told = freeTells(witness, units, isTaking: isTaking, of: lock, values)
    if !witness.hasWaits, let told { return told }
    let isUsual = abs(value - without - weight) <= Self.usualChange
    return without - leases <= LeaseCounter.roomForNatives && isUsual ? true : told
  }

  /// The sign in the lock's own semaphore that tells whether units are counted as out.
  private func freeTells(
    _ witness: CountWitness, _ units: Int, isTaking: Bool, of lock: Lock, _ values: [UInt16]
  ) -> Bool? {
    guard let free = witness.free, lockTable.lastProcess(lock.set.set, lock.place.semaphore) == witness.process else {
      return nil
    }
    return switch Int(values[lock.place.semaphore]) {
    case free: !isTaking
    case isTaking ? free - units : free + units: isTaking
    default: nil
    }
  }

  /// Closes a record whose units are not in the value: no caller was told of a grant, and an end is done.
  private func close(_ one: ScannedLease, _ found: inout ScanResult, at moment: Moment) {
    if one.isTaking || one.record[.part] {
      journal.free(one.cell)
    } else {
      found.ends.append(journal.end(one, one.word.reason ?? .released, at: moment))
    }
  }
}
