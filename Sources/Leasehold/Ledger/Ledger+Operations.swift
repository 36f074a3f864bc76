import SysVTypes

// Raw operations on a lease: SEM_UNDO with a clock.
//
// The order of steps is that of every set without a ledger of its own: the operations are done with SEM_UNDO before
// anybody asks here, then
//   1. the record is written and committed as arming
//   2. one semop drops the undo and changes no value
//   3. the record is committed as live
// A crash before 1 leaves nothing, one after 3 the lease; between them, about a microsecond, a suspect.

extension Ledger {
  /// Puts operations on a lease that were just done, those to be taken back with SEM_UNDO.
  ///
  /// When there is no lease to be had they are taken back.
  public func lease(
    _ request: OperationRequest, on set: BankID, count: Int, waited: TimeSpan, at moment: Moment
  ) throws(LeaseholdError) -> LeaseSnapshot {
    let adjustments = SemaphoreOperation.adjustments(request.steps.filter(\.undoes))
    let (lock, asked, prepared): (Lock, AcquireRequest, PreparedLease)
    do throws(LeaseholdError) {
      guard state == .ready else { throw Self.notServing(state) }
      if let known = try replay(request, on: set.set) {
        // Two requests with one key were under way at once.
        takeBack(request.steps, adjustments, on: set.set)
        return known
      }
      lock = try operationsLock(of: set, count: count, at: moment)
      var acquire = AcquireRequest(key: lock.key, ttl: request.ttl, caller: request.caller)
      acquire.owner = request.owner
      acquire.idempotencyKey = request.idempotencyKey
      asked = acquire
      prepared = try prepare(
        asked, lock: lock, share: Share(.exclusive, units: 1), caller: asked.caller, waited: waited,
        adjustments: adjustments, fingerprint: request.idempotencyKey == nil ? nil : request.fingerprint, at: moment)
    } catch {
      takeBack(request.steps, adjustments, on: set.set)
      counters.refused += 1
      throw error
    }
    storage.commit(CommitWord(.arming, .lease, check: prepared.body.check), at: prepared.cell)
    let outcome = dropUndo(adjustments, on: set.set)
    guard outcome == .done else {
      storage.commit(.free, at: prepared.cell)
      discard(prepared)
      counters.refused += 1
      if case .failed(let failure) = outcome { throw Self.kernelRefused(failure, doing: "keep the operations") }
      setVanished(lock, at: moment)
      throw Self.setRemoved(lock.key, at: moment)
    }
    let lease = commit(prepared, for: asked, on: lock, caller: asked.caller)
    lease.kind = .operations(adjustments)
    return snapshot(lease)
  }

  /// Answers a retry: the same lease.
  ///
  /// `nil` when the key is new.
  public func replay(_ request: OperationRequest, on set: Int32) throws(LeaseholdError) -> LeaseSnapshot? {
    guard let key = request.idempotencyKey,
      case .lease(let lease)? = idempotency[
        IdempotencyScope(lock: Self.operationsKey(set), key: key, door: request.caller.door)]
    else { return nil }
    guard lease.fingerprint == request.fingerprint else { throw Self.idempotencyMismatch() }
    guard lease.isHeld else { throw Self.over(lease) }
    lease.peer = request.caller.peer
    lease.told &+= 1
    counters.replayed += 1
    var answer = snapshot(lease)
    answer.replayed = true
    return answer
  }

  private static func operationsKey(_ set: Int32) -> LockKey { LockKey(trusted: "op:id:\(set)") }

  /// What the leases on operations of a set stand on: a lock that nobody acquires and no list shows.
  private func operationsLock(of set: BankID, count: Int, at moment: Moment) throws(LeaseholdError) -> Lock {
    if set.key != 0, let old = nativeSetsByKey[set.key], old.id != set { nativeSetVanished(old, at: moment) }
    let number = LockLayout.operationsNumber
    if let known = nativeSets[set.set]?.locks[number] { return known }
    let key = Self.operationsKey(set.set)
    let written = try writeLock(
      key,
      LockRecord(
        lastUse: moment.monotonic.nanoseconds, set: set.set, sysvKey: set.key, place: number, layout: .operations,
        capacity: nil, semaphoreCount: count, firstFence: lastFence &+ 1, keyLength: 0, textCell: TextRecord.none))
    storage.commit(CommitWord(.live, .lock, check: written.check), at: written.cell)
    let native = adoptSet(set, count: count)
    let lock = Lock(
      key: key, cell: written.cell, place: .operations(native), capacity: nil, textCell: written.textCell,
      lastUse: moment.monotonic.nanoseconds)
    native.locks[number] = lock
    locksByCell[lock.cell] = lock
    return lock
  }

  // MARK: Kernel

  /// As much as fits beside any value or can be taken from it: one of the two always goes.
  private static let smallPiece = Limits.slots / 2

  /// Drops the undo of what was done with SEM_UNDO, and changes no value.
  ///
  /// In one step, unless that is longer than the kernel takes or somebody's value is in the way of a large one.
  private func dropUndo(_ adjustments: [SemaphoreOperation], on set: Int32) -> KernelOutcome {
    guard !adjustments.isEmpty else { return .done }
    let pieces = adjustments.flatMap(Self.pieces)
    let outcome = kernel.operate(set, list: pieces.flatMap { Self.dropUndo($0, upFirst: true) })
    guard outcome != .done, outcome != .removed else { return outcome }
    for piece in pieces {
      var outcome = KernelOutcome.wouldBlock
      var tries = 0
      while outcome.isOutOfRange, tries < 100 {
        outcome = kernel.operate(set, list: Self.dropUndo(piece, upFirst: tries % 2 == 0))
        tries += 1
      }
      guard outcome == .done else {
        return outcome == .wouldBlock ? .failed(KernelFailure(.wouldBlock)) : outcome
      }
    }
    return .done
  }

  /// Two operations: what the undo would add, so that it adds nothing any more, and the opposite without undo.
  private static func dropUndo(_ adjustment: SemaphoreOperation, upFirst: Bool) -> [SemaphoreOperation] {
    let (delta, semaphore) = (Int(adjustment.delta), Int(adjustment.semaphore))
    let (undone, plain) = (
      SemaphoreOperation.addUndone(delta, to: semaphore), SemaphoreOperation.add(-delta, to: semaphore)
    )
    return (delta > 0) == upFirst ? [undone, plain] : [plain, undone]
  }

  private static func pieces(_ adjustment: SemaphoreOperation) -> [SemaphoreOperation] {
    var left = Int(adjustment.delta)
    var pieces: [SemaphoreOperation] = []
    while left != 0 {
      let piece = max(-smallPiece, min(smallPiece, left))
      pieces.append(.add(piece, to: Int(adjustment.semaphore)))
      left -= piece
    }
    return pieces
  }

  /// Applies the adjustments as the kernel does when a process exits: semaphore by semaphore, without waiting, no value
  /// below 0 or above 32767.
  func adjust(_ set: Int32, by adjustments: [SemaphoreOperation], of lock: Lock?) -> KernelOutcome {
    var worst = KernelOutcome.done
    for adjustment in adjustments {
      let outcome = adjust(set, by: adjustment, of: lock)
      if outcome == .removed { return .removed }
      if outcome != .done { worst = outcome }
    }
    return worst
  }

  /// One semaphore: all of it, or else as much as goes, in halves of halves so that no value needs to be read.
  private func adjust(_ set: Int32, by adjustment: SemaphoreOperation, of lock: Lock?) -> KernelOutcome {
    let (semaphore, sign) = (Int(adjustment.semaphore), Int(adjustment.delta.signum()))
    let outcome = giveBack(OpList(.add(Int(adjustment.delta), to: semaphore)), to: set, of: lock)
    guard outcome.isOutOfRange else { return outcome }
    var left = abs(Int(adjustment.delta))
    var piece = 1 << 14
    while piece > 0 {
      guard piece <= left else {
        piece /= 2
        continue
      }
      let outcome = kernel.operate(set, OpList(.add(sign * piece, to: semaphore)))
      if outcome == .done {
        left -= piece
      } else if outcome.isOutOfRange {
        piece /= 2
      } else {
        if outcome.mayPass { owe([.add(sign * left, to: semaphore)], to: set, of: lock) }
        return outcome
      }
    }
    return .done
  }

  /// Takes operations back that were done and get no lease: as one step, or else as an exit would.
  private func takeBack(_ steps: [SemaphoreOperation], _ adjustments: [SemaphoreOperation], on set: Int32) {
    let inverse = steps.reversed().filter { $0.delta != 0 }.map(\.inverse)
    let outcome = kernel.operate(set, list: inverse)
    guard outcome != .done, outcome != .removed else { return }
    guard dropUndo(adjustments, on: set) == .done,
      adjust(set, by: SemaphoreOperation.adjustments(steps), of: nil) == .done
    else {
      counters.undoFailures += 1
      return
    }
  }
}

extension OperationRequest {
  /// A number that differs, for all practical purposes, when anything but the wait differs: tells a retry from another
  /// request.
  var fingerprint: UInt64 {
    var hash = RequestHash()
    for step in steps {
      let flags: UInt64 = (step.refusesToWait ? 1 : 0) | (step.undoes ? 2 : 0)
      hash.mix(UInt64(step.semaphore) | UInt64(UInt16(bitPattern: step.delta)) << 16 | flags << 32)
    }
    hash.mix(UInt64(bitPattern: ttl.nanoseconds))
    hash.mix(owner ?? "")
    return hash.fingerprint(of: caller)
  }
}

extension KernelOutcome {
  /// Whether a value would have left its range.
  fileprivate var isOutOfRange: Bool {
    switch self {
    case .wouldBlock: true
    case .failed(let failure): failure.errno == .outOfRange
    case .done, .removed: false
    }
  }
}

extension SemaphoreOperation {
  /// What takes steps back, semaphore by semaphore: the opposite of all that they add.
  static func adjustments(_ steps: [SemaphoreOperation]) -> [SemaphoreOperation] {
    var sums: [UInt16: Int] = [:]
    for step in steps { sums[step.semaphore, default: 0] -= Int(step.delta) }
    return sums.filter { $0.value != 0 }.sorted { $0.key < $1.key }.map { semaphore, delta in
      SemaphoreOperation(semaphore: semaphore, delta: Int16(clamping: delta), flags: .nowait)
    }
  }

  /// Takes this step back; if it was done with SEM_UNDO, its undo too.
  fileprivate var inverse: SemaphoreOperation {
    SemaphoreOperation(
      semaphore: semaphore, delta: Int16(clamping: -Int(delta)),
      flags: undoes ? [.nowait, .undo] : .nowait)
  }
}

extension [SemaphoreOperation] {
  /// The adjustments of a lease as bytes of its text: semaphore and delta, two bytes each, low byte first.
  var recordBytes: [UInt8] {
    var bytes: [UInt8] = []
    for operation in self {
      for half in [operation.semaphore, UInt16(bitPattern: operation.delta)] {
        bytes.append(UInt8(truncatingIfNeeded: half))
        bytes.append(UInt8(truncatingIfNeeded: half >> 8))
      }
    }
    return bytes
  }

  /// Reads the adjustments of a lease.
  init(recordBytes bytes: [UInt8]) {
    func half(_ at: Int) -> UInt16 { UInt16(bytes[at]) | UInt16(bytes[at + 1]) << 8 }
    self = stride(from: 0, to: bytes.count - 3, by: LeaseRecord.adjustmentBytes).map { at in
      SemaphoreOperation(semaphore: half(at), delta: Int16(bitPattern: half(at + 2)), flags: .nowait)
    }
  }
}
