// What leases have of semaphores in which native programs count themselves, too: PHP's USAGE, Apache's readers and
// writers.
//
// The records say how many units of such a value are leases'; the rest is natives', in any number. So after a crash the
// value does not tell whether the units of a record that was being written are in it. That record tells: it is marked
// before the semop, and has what the kernel said right before.
//
//   take        1. the record is marked as arming, with the values    2. semop   3. marked as held
//   give back   1. the values, marked as disarming with the reason    2. semop   3. marked as ended
//
// What recovery makes of it stands in RecoverCounts.swift.

extension Lock {
  /// The semaphore that counts leases of a mode.
  func counter(of mode: LockMode) -> LeaseCounter? { place.dialect.counters.first { $0.counts(mode) } }

  /// Units of leases in a counter, as the records have them.
  func units(in counter: LeaseCounter) -> Int {
    counter.mode == nil ? unitsOut : holders.reduce(0) { counter.counts($1.mode) ? $0 + $1.units : $0 }
  }

  /// The part of a counter's value that is natives'; below zero when it does not cover the leases.
  func natives(in counter: LeaseCounter, value: Int) -> Int { value - units(in: counter) * counter.weight }

  /// Returns true when so many more units may be out on leases by the limit that this service put into force.
  ///
  /// Leases with `undo=false` do not count: any program may free their slots, as IPC::Semaphore::Concurrency's do.
  func isWithinLimit(_ units: Int) -> Bool {
    guard let capacity, unitsOut + units > capacity else { return true }
    return units <= roomWithinLimit
  }

  /// Units that the limit leaves for leases, whatever the value says; any number where it is not known.
  var roomWithinLimit: Int {
    guard let capacity else { return .max }
    return capacity - holders.reduce(0) { $1.isEndless ? $0 : $0 + $1.units }
  }
}

/// The kernel's words right before units were taken or given back where natives count, too.
///
/// In one word of the record: bits 0...14 the count, 15...29 the free units, 30 whether these are known, 31...52 the
/// process, 53 whether a thread of ours waited, 54 whether it was written for a give-back, 60 always.
struct CountWitness: Equatable {
  /// The process that did it.
  var process: Int32
  /// The value of the counter, when nothing is done.
  var count: Int
  /// The value of the lock's own semaphore, when nothing is done; where that is another one.
  var free: Int?
  /// True when a thread of ours waited for units: what it may just have got goes back at a crash.
  var hasWaits = false
  /// True when units were about to be given back, not taken.
  ///
  /// The record's state does not tell: recovery writes the word into a record that is still marked as arming.
  var isOfEnd = false
}

extension CountWitness {
  init?(word: UInt64) {
    let bits = Int64(bitPattern: word).magnitude
    guard bits >> 60 == 1 else { return nil }
    self.init(
      process: Int32(truncatingIfNeeded: bits >> 31 & 0x3f_ffff), count: Int(bits & 0x7fff),
      free: bits >> 30 & 1 == 1 ? Int(bits >> 15 & 0x7fff) : nil, hasWaits: bits >> 53 & 1 == 1,
      isOfEnd: bits >> 54 & 1 == 1)
  }

  /// The word; negative where an operator ends the lease, as the time of an end is.
  func word(isBreaking: Bool) -> UInt64 {
    let known = free.map { UInt64($0 & 0x7fff) << 15 | 1 << 30 } ?? 0
    let bits =
      UInt64(count & 0x7fff) | known | UInt64(UInt32(bitPattern: process) & 0x3f_ffff) << 31
      | (hasWaits ? 1 << 53 : 0) | (isOfEnd ? 1 << 54 : 0) | 1 << 60
    return isBreaking ? UInt64(bitPattern: -Int64(bits)) : bits
  }
}

extension Ledger {
  private func witness(_ share: Share, of lock: Lock, _ values: [UInt16], knowsFree: Bool) -> CountWitness? {
    guard let counter = lock.counter(of: share.mode) else { return nil }
    let isApart = counter.semaphore != lock.place.semaphore && lock.place.dialect.companion == nil
    return CountWitness(
      process: lockTable.process, count: Int(values[counter.semaphore]),
      free: isApart && knowsFree ? Int(values[lock.place.semaphore]) : nil, hasWaits: !lock.waits.isEmpty)
  }

  /// Marks records whose units are about to be taken together.
  ///
  /// - Parameters:
  ///   - waited: Whether they were taken with SEM_UNDO by a thread that waited: then that is undone when nothing is
  ///     done.
  ///   - limit: The value that the first handle sets SEM to.
  func mark(
    _ marks: Marks, taking share: Share, of lock: Lock, _ values: [UInt16], waited: Bool = false,
    setting limit: Int? = nil
  ) {
    if let counter = lock.counter(of: share.mode) {
      lock.natives[counter] = lock.natives(in: counter, value: Int(values[counter.semaphore]))
    }
    // SEM does not go down by what is taken when its value is not the limit, and may even stay what it was.
    let isFirst = lock.counter(of: share.mode).map { values[$0.semaphore] == 0 } ?? false
    let knowsFree = !isFirst || limit == Int(values[lock.place.semaphore])
    guard var witness = witness(share, of: lock, values, knowsFree: knowsFree) else { return }
    if waited {
      witness.free = witness.free.map { $0 + share.units }
      if lock.place.dialect.companion != nil {
        witness.count = max(0, witness.count - share.units * LeaseCounter.sharedWeight)
      }
    }
    journal.arm(marks, witness)
  }

  /// The values of a set whose counts native programs share; `nil` for others, and where they cannot be read.
  func sharedCounts(of lock: Lock) -> [UInt16]? {
    lock.place.sharesCount ? readCounts(of: lock).known : nil
  }

  /// Marks a lease's record: what it has is about to be given back where the kernel's values alone cannot tell whether
  /// it was.
  ///
  /// - Parameters:
  ///   - values: What ``sharedCounts(of:)`` answered.
  ///   - isCapped: Whether less than all of it goes back.
  func beginEnd(
    _ cell: Int, _ reason: EndReason, giving share: Share, of lock: Lock, _ values: [UInt16]?, isCapped: Bool = false,
    isBreaking: Bool = false
  ) -> Ending {
    guard lock.place.sharesCount else { return journal.beginEnd(cell, reason, witness: nil) }
    var word: UInt64 = 0
    if let values, var witness = witness(share, of: lock, values, knowsFree: !isCapped) {
      witness.isOfEnd = true
      word = witness.word(isBreaking: isBreaking)
    }
    return journal.beginEnd(cell, reason, witness: word)
  }
}
