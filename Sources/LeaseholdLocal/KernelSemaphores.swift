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
    outcome(of: try SemaphoreSet(id: set).setValue(UInt16(clamping: value), of: semaphore))
  }

  func outcome(of call: @autoclosure () throws(Errno) -> Void) -> KernelOutcome {
    do throws(Errno) {
      try call()
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

  func makeBank() throws(KernelFailure) -> BankID {
    let values = [UInt16](repeating: 0, count: NamedDialect.trailer)
    for _ in 0..<Self.bankNumbers {
      let key = bankKey(nextBank)
      nextBank = (nextBank + 1) % Self.bankNumbers
      do {
        return BankID(set: try makeSet(key, values + trailer(), mode).id, key: key.rawValue)
      } catch .fileExists {
        continue
      } catch {
        throw failure(error)
      }
    }
    throw KernelFailure(.exists)
  }

  /// Makes a set that no program uses before it is whole; one that cannot be finished does not stay.
  func makeSet(
    _ key: IPCKey, _ values: [UInt16], _ mode: IPCMode, from unfinished: IPCMode = .ownerReadWrite
  ) throws(Errno) -> SemaphoreSet {
    let set = try SemaphoreSet.create(key: key, count: values.count, mode: unfinished)
    try set.orRemove { () throws(Errno) in try finish(set, values, mode, from: unfinished) }
    return set
  }

  /// Gives a new set its values; a semop that changes nothing marks it as finished (its time of last operation is no
  /// longer 0), and only then others are let in.
  func finish(
    _ set: SemaphoreSet, _ values: [UInt16], _ mode: IPCMode, from unfinished: IPCMode
  ) throws(Errno) {
    try set.setValues(values)
    try set.markAsFinished()
    if mode != unfinished { try set.setMode(mode) }
  }

  /// The values at the end of a bank, and of a set with ledgers, that say whose it is.
  func trailer(_ layoutVersion: UInt16 = NamedDialect.layoutVersion) -> [UInt16] {
    // The half of the control key that the bank's key does not tell, less the bit that no semaphore can hold.
    let instance = UInt16(truncatingIfNeeded: controlKey >> 16) & 0x7fff
    return [NamedDialect.signature, layoutVersion, instance]
  }

  private func bankKey(_ number: Int) -> IPCKey {
    let high = (Self.firstBank &+ UInt32(number)) << 16
    return IPCKey(rawValue: Int32(bitPattern: high | UInt32(UInt16(truncatingIfNeeded: controlKey))))
  }

  func failure(_ error: Errno, making count: Int = NamedDialect.semaphoresPerBank) -> KernelFailure {
    KernelFailure(error.known, limit: KernelLimit(error, semaphores: count))
  }

  func bankValues(_ set: Int32) -> [UInt16]? {
    for _ in 0..<Self.attempts {
      do throws(Errno) {
        return try readBank(SemaphoreSet(id: set))
      } catch {
        // Only a set that is gone has no values; ``requireReadable(_:)`` saw that this one can be read.
        if error.saysGone { return nil }
      }
    }
    return nil
  }

  /// Refuses a start at which a bank of this instance cannot be read: its leases would be taken for lost.
  static func requireReadable(_ controlKey: Int32) throws(LocalServiceError) {
    let entries = try explaining(IPCInventory.semaphoreSets()) { LocalServiceError.unreadableSet(id: nil, errno: $0) }
    let kernel = KernelSemaphores(controlKey: controlKey, mode: .ownerReadWrite)
    for entry in entries where kernel.mayBeBank(entry.status) {
      _ = try explaining(ifThere(kernel.readBank(entry.set))) {
        LocalServiceError.unreadableSet(id: entry.id, errno: $0)
      }
    }
  }

  /// The values of a bank of ours; `nil` when the set is another's.
  private func readBank(_ set: SemaphoreSet) throws(Errno) -> [UInt16]? {
    let status = try set.status()
    guard status.count == NamedDialect.semaphoresPerBank, status.permissions.isOurs else { return nil }
    let values = try set.values()
    return values.count == NamedDialect.semaphoresPerBank && values[NamedDialect.trailer...].elementsEqual(trailer())
      ? values : nil
  }

  func banks() -> [BankID] {
    let entries = (try? IPCInventory.semaphoreSets()) ?? []
    return entries.filter(isBank).map { BankID(set: $0.set.id, key: $0.status.permissions.key.rawValue) }
  }

  private func isBank(_ entry: IPCInventory.SemaphoreSetEntry) -> Bool {
    // Without an operation: a daemon died while it made the set, and no program ever saw it.
    mayBeBank(entry.status) && (entry.status.operatedAtSeconds == nil || bankValues(entry.set.id) != nil)
  }

  /// True for a set with the size, the owner and the key of this instance's banks.
  private func mayBeBank(_ status: SemaphoreSet.Status) -> Bool {
    status.count == NamedDialect.semaphoresPerBank && status.permissions.isOurs
      && UInt16(truncatingIfNeeded: status.permissions.key.rawValue) == UInt16(truncatingIfNeeded: controlKey)
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

  /// Does something to a set that was just made; a set that cannot be finished must not stay.
  func orRemove<Result>(_ body: () throws(Errno) -> Result) throws(Errno) -> Result {
    do {
      return try body()
    } catch {
      try? remove()
      throw error
    }
  }
}
