import Leasehold
import SysV
import SystemPackage

/// The semaphores of this IPC namespace, as the ledger needs them.
final class KernelSemaphores: SemaphoreKernel {
  let controlKey: Int32
  private let mode: IPCMode
  let pathRoots: PathRoots
  private var nextBank = 0

  /// The low half of every bank's key is that of the control key, the high half counts from "LI" on.
  private static let firstBank: UInt32 = 0x4c49
  private static let bankNumbers = 0x8000

  init(controlKey: Int32, mode: IPCMode, pathRoots: [String] = []) {
    self.controlKey = controlKey
    self.mode = mode
    self.pathRoots = PathRoots(pathRoots)
  }

  @inline(__always)
  func operate(_ set: Int32, _ operations: OpList) -> KernelOutcome {
    outcome(withUnsafeBytes(of: operations.storage) { perform(set, $0, operations.count) })
  }

  func operate(_ set: Int32, list operations: [SemaphoreOperation]) -> KernelOutcome {
    outcome(operations.withUnsafeBytes { perform(set, $0, operations.count) })
  }

  func write(_ value: Int, to semaphore: Int, of set: Int32) -> KernelOutcome {
    do {
      try SemaphoreSet(id: set).setValue(UInt16(clamping: value), of: semaphore)
      return .done
    } catch {
      return outcome(error)
    }
  }

  @inline(__always)
  private func outcome(_ error: Errno?) -> KernelOutcome {
    switch error {
    case nil: .done
    case .resourceTemporarilyUnavailable?: .wouldBlock
    case .identifierRemoved?, .invalidArgument?: .removed
    case let error?: .failed(KernelFailure(error.known))
    }
  }

  /// ``SemaphoreOperation`` has the layout of `struct sembuf`, so the list goes to the kernel as it is.
  @inline(__always)
  private func perform(_ set: Int32, _ bytes: UnsafeRawBufferPointer, _ count: Int) -> Errno? {
    let operations = bytes.assumingMemoryBound(to: SemaphoreOperation.self)
    let list = UnsafeBufferPointer(rebasing: operations[..<count])
    var error = SemaphoreSet(id: set).operate(list)
    // No operation here sleeps, so the kernel has no reason to; a layer between us and it (ptrace, gVisor) may have
    // one.
    for _ in 0..<Self.attempts where error == .interrupted { error = SemaphoreSet(id: set).operate(list) }
    return error
  }

  /// The number of tries of what fails without a lasting reason, or what others undo.
  static let attempts = 16

  // MARK: Banks

  /// Made for this user alone, so that no other uses it before it is whole; a semop that changes nothing marks it as
  /// finished (its time of last operation is no longer 0), and only then others are let in.
  func makeBank() throws(KernelFailure) -> BankID {
    for _ in 0..<Self.bankNumbers {
      let key = bankKey(nextBank)
      nextBank = (nextBank + 1) % Self.bankNumbers
      do {
        let set = try SemaphoreSet.create(
          key: key, count: NamedDialect.semaphoresPerBank, mode: .ownerReadWrite)
        try orRemove(set) { () throws(Errno) in try finish(set) }
        return BankID(set: set.id, key: key.rawValue)
      } catch .fileExists {
        continue
      } catch {
        throw failure(error)
      }
    }
    throw KernelFailure(.exists)
  }

  private func finish(_ set: SemaphoreSet) throws(Errno) {
    var values = [UInt16](repeating: 0, count: NamedDialect.semaphoresPerBank)
    values[NamedDialect.trailer] = NamedDialect.signature
    values[NamedDialect.trailer + 1] = NamedDialect.layoutVersion
    values[NamedDialect.trailer + 2] = instance
    try set.setValues(values)
    try set.markAsFinished()
    if mode != .ownerReadWrite { try set.setMode(mode) }
  }

  /// Does something to a set that was just made; a set that cannot be finished must not stay.
  func orRemove(_ set: SemaphoreSet, _ body: () throws(Errno) -> Void) throws(Errno) {
    do {
      try body()
    } catch {
      try? set.remove()
      throw error
    }
  }

  /// The half of the control key that the bank's key does not tell, less the bit that no semaphore can hold.
  var instance: UInt16 { UInt16(truncatingIfNeeded: controlKey >> 16) & 0x7fff }

  private func bankKey(_ number: Int) -> IPCKey {
    let high = (Self.firstBank &+ UInt32(number)) << 16
    return IPCKey(rawValue: Int32(bitPattern: high | UInt32(UInt16(truncatingIfNeeded: controlKey))))
  }

  func failure(_ error: Errno) -> KernelFailure {
    if error == .invalidArgument, let perSetMax = try? SemaphoreLimits.current().semaphoresPerSet,
      perSetMax < NamedDialect.semaphoresPerBank
    {
      return KernelFailure(error.known, limit: KernelLimit(.semaphoresPerSet, perSetMax))
    }
    guard error == .noSpace, let limits = try? SemaphoreLimits.current(), let usage = try? SemaphoreUsage.current()
    else { return KernelFailure(error.known) }
    return usage.sets >= limits.sets
      ? KernelFailure(error.known, limit: KernelLimit(.sets, limits.sets))
      : KernelFailure(error.known, limit: KernelLimit(.semaphores, limits.semaphores))
  }

  func bankValues(_ set: Int32) -> [UInt16]? {
    for _ in 0..<Self.attempts {
      do throws(Errno) {
        return try readBank(SemaphoreSet(id: set))
      } catch {
        // Only a set that is gone has no values; ``requireReadable(_:)`` saw that this one can be read.
        if error == .invalidArgument || error == .identifierRemoved { return nil }
      }
    }
    return nil
  }

  /// Refuses a start at which a bank of this instance cannot be read: its leases would be taken for lost.
  static func requireReadable(_ controlKey: Int32) throws(LocalServiceError) {
    let entries: [IPCInventory.SemaphoreSetEntry]
    do {
      entries = try IPCInventory.semaphoreSets()
    } catch {
      throw .unreadableSet(id: nil, errno: error)
    }
    let kernel = KernelSemaphores(controlKey: controlKey, mode: .ownerReadWrite)
    for entry in entries where entry.status.count == NamedDialect.semaphoresPerBank && entry.status.permissions.isOurs {
      let key = UInt32(bitPattern: entry.status.permissions.key.rawValue)
      guard UInt16(truncatingIfNeeded: key) == UInt16(truncatingIfNeeded: controlKey) else { continue }
      do {
        _ = try kernel.readBank(entry.set)
      } catch .invalidArgument, .identifierRemoved {
        continue
      } catch {
        throw .unreadableSet(id: entry.id, errno: error)
      }
    }
  }

  /// The values of a bank of ours; `nil` when the set is another's.
  private func readBank(_ set: SemaphoreSet) throws(Errno) -> [UInt16]? {
    let status = try set.status()
    guard status.count == NamedDialect.semaphoresPerBank, status.permissions.isOurs else { return nil }
    let values = try set.values()
    guard values.count == NamedDialect.semaphoresPerBank, values[NamedDialect.trailer] == NamedDialect.signature,
      values[NamedDialect.trailer + 1] == NamedDialect.layoutVersion, values[NamedDialect.trailer + 2] == instance
    else { return nil }
    return values
  }

  func banks() -> [BankID] {
    let entries = (try? IPCInventory.semaphoreSets()) ?? []
    return entries.filter(isBank).map { BankID(set: $0.set.id, key: $0.status.permissions.key.rawValue) }
  }

  private func isBank(_ entry: IPCInventory.SemaphoreSetEntry) -> Bool {
    let status = entry.status
    let key = UInt32(bitPattern: status.permissions.key.rawValue)
    guard status.count == NamedDialect.semaphoresPerBank, status.permissions.isOurs,
      UInt16(truncatingIfNeeded: key) == UInt16(truncatingIfNeeded: controlKey)
    else { return false }
    // A daemon died while it made the set: no program ever saw it.
    if status.operatedAtSeconds == nil { return true }
    return bankValues(entry.set.id) != nil
  }

  func removeBank(_ set: Int32) { try? SemaphoreSet(id: set).remove() }

  // MARK: Looking

  func value(_ set: Int32, _ semaphore: Int) -> Int? { (try? SemaphoreSet(id: set).value(of: semaphore)).map(Int.init) }

  func lastProcess(_ set: Int32, _ semaphore: Int) -> Int32? {
    guard let pid = try? SemaphoreSet(id: set).lastProcessID(of: semaphore), pid > 0 else { return nil }
    return pid
  }

  func waiters(_ set: Int32, _ semaphore: Int) -> Int? { try? SemaphoreSet(id: set).waiterCount(of: semaphore) }
}

extension SemaphoreSet {
  /// Does an operation that changes nothing: programs wait for the first one (`sem_otime`) before they use a set that
  /// another is making.
  func markAsFinished() throws(Errno) {
    let isAtMost = try value(of: 0) == LeaseCounter.valueMax
    try operate(
      isAtMost ? [.subtract(1, from: 0), .add(1, to: 0)] : [.add(1, to: 0), .subtract(1, from: 0)], timeout: .zero)
  }
}

extension Errno {
  /// The C name, for example `ENOSPC`.
  var label: String { name ?? "errno \(rawValue)" }

  /// The same as the domain knows it.
  var known: KernelErrno { KernelErrno(rawValue, label) }
}
