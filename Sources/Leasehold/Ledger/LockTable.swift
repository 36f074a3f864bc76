import SysVTypes

/// The semaphores below the locks.
///
/// What takes units or gives them back stands in `CrashOrder+Units.swift` alone; here is what only looks.
struct LockTable: ~Copyable {
  let kernel: any SemaphoreKernel
  /// What the kernel could not take back yet; a class, as an end changes it in the middle of a semop.
  let debts = Debts()

  init(_ kernel: any SemaphoreKernel) { self.kernel = kernel }

  // MARK: One look

  /// The value of a lock's semaphore; `nil` when it cannot be read.
  @inline(__always)
  func value(of lock: Lock) -> Int? { kernel.value(lock.set.set, lock.place.semaphore) }

  /// The value of any semaphore of a lock's set; `nil` when it cannot be read.
  func value(_ semaphore: Int, of lock: Lock) -> Int? { kernel.value(lock.set.set, semaphore) }

  /// All values of a set that native programs use; one whose size changed is another set.
  func read(_ set: NativeSet) -> SetReading {
    let reading = kernel.read(set.id.set)
    if case .values(let values) = reading, values.count != set.count { return .gone }
    return reading
  }

  /// Whether a set is gone; one that cannot be read is not gone for that.
  func isGone(_ bank: Bank) -> Bool {
    kernel.value(bank.id.set, NamedDialect.trailer) == nil && kernel.read(bank.id.set) == .gone
  }

  /// How a semaphore looks now.
  func seen(_ semaphore: Int, of set: NativeSet) -> SeenSemaphore {
    SeenSemaphore(
      process: kernel.lastProcess(set.id.set, semaphore), value: kernel.value(set.id.set, semaphore) ?? 0)
  }

  /// Processes other than this service that sleep on a lock's semaphore.
  func nativeWaiters(of lock: Lock) -> Int {
    max(0, (kernel.waiters(lock.set.set, lock.place.semaphore) ?? 0) - lock.waits.count)
  }

  /// The set that a native name leads to; `nil` when there is none, or it cannot be known.
  func find(_ native: NativeRequest) -> BoundSet? { try? kernel.bind(native, creating: false, access: nil) }

  /// The set that a native name leads to.
  ///
  /// - Throws: what the kernel refuses, in words.
  func bind(
    _ key: LockKey, _ native: NativeRequest, creating: Bool = false, access: IPCAccess?
  ) throws(LeaseholdError) -> BoundSet {
    do {
      return try kernel.bind(native, creating: creating, access: access)
    } catch {
      throw Ledger.bindRefused(error, key, native)
    }
  }

  /// Where a native name leads: its key, and its set if there is one.
  func whereabouts(_ key: LockKey, _ native: NativeRequest) throws(LeaseholdError) -> (key: Int32?, set: BoundSet?) {
    do {
      return (nil, try kernel.bind(native, creating: false, access: nil))
    } catch .noSet, .noPath {
      return (kernel.key(of: native), nil)
    } catch {
      throw Ledger.bindRefused(error, key, native)
    }
  }

  // MARK: The kernel, as it is

  var process: Int32 { kernel.process }
  func trace(_ set: Int32) -> SetTrace? { kernel.trace(set) }
  func read(set: Int32) -> SetReading { kernel.read(set) }
  func read(_ bank: Bank) -> SetReading { kernel.read(bank.id.set) }
  func values(of lock: Lock) -> SetReading { kernel.read(lock.set.set) }
  func bankValues(_ set: Int32) -> [UInt16]? { kernel.bankValues(set) }
  func lastProcess(_ set: Int32, _ semaphore: Int) -> Int32? { kernel.lastProcess(set, semaphore) }
  func waiters(_ set: Int32, _ semaphore: Int) -> Int? { kernel.waiters(set, semaphore) }
  func hasLedger(_ set: Int32, count: Int) -> Bool { kernel.hasLedger(set, count: count) }
  func makeBank() throws(KernelFailure) -> BankID { try kernel.makeBank() }
  func banks() -> [BankID] { kernel.banks() }
  func remove(_ bank: BankID) { kernel.removeBank(bank.set) }
  func remove(set: Int32) -> KernelOutcome { kernel.remove(set) }
}
