public import SysVTypes

/// The kernel's answer to an operation that does not wait.
public enum KernelOutcome: Sendable, Equatable {
  /// All of it happened.
  case done
  /// None of it happened: a value was not right (EAGAIN).
  case wouldBlock
  /// The set is gone (EIDRM, EINVAL).
  case removed
  /// None of it happened, for another reason.
  case failed(KernelFailure)
}

/// A set of own locks in the kernel.
public struct BankID: Hashable, Sendable {
  /// The identifier of the set: a removed set's is not used again for millions of creations.
  public var set: Int32
  /// The SysV key.
  public var key: Int32

  /// Makes an identity.
  public init(set: Int32, key: Int32) {
    self.set = set
    self.key = key
  }
}

/// The semaphores the ledger works on.
///
/// No call waits. The ledger calls it from one thread at a time.
public protocol SemaphoreKernel: AnyObject {
  /// Does all operations as one step, or none.
  func operate(_ set: Int32, _ operations: OpList) -> KernelOutcome
  /// The same for lists of any length.
  func operate(_ set: Int32, list: [SemaphoreOperation]) -> KernelOutcome
  /// Writes the value of one semaphore, which makes the kernel forget all that was marked with SEM_UNDO there.
  func write(_ value: Int, to semaphore: Int, of set: Int32) -> KernelOutcome
  /// Makes a bank with every value 0 and its trailer written.
  ///
  /// - Throws: ``KernelFailure`` at a limit of the kernel, or without memory.
  func makeBank() throws(KernelFailure) -> BankID
  /// All values of a bank of ours; `nil` when the set is gone or is not a bank of this instance.
  func bankValues(_ set: Int32) -> [UInt16]?
  /// The banks of this instance that the kernel has.
  func banks() -> [BankID]
  /// Removes a bank.
  func removeBank(_ set: Int32)
  /// Finds the set of a native request, or, when `creating`, makes it as the native program would.
  ///
  /// A new set belongs to the user who asks, where that is known. What the kernel would refuse that user is refused,
  /// unless `access` is `nil`.
  ///
  /// - Throws: ``BindFailure``: nothing there, no permission, another layout, or the kernel's refusal.
  func bind(_ request: NativeRequest, creating: Bool, access: IPCAccess?) throws(BindFailure) -> BoundSet
  /// Returns true when this service made a set for `path:` locks: its last three values say so.
  func hasLedger(_ set: Int32, count: Int) -> Bool
  /// The key that a native request names, found without making anything; `nil` when it cannot be known.
  func key(of request: NativeRequest) -> Int32?
  /// All values of any set.
  func read(_ set: Int32) -> SetReading
  /// Removes any set.
  func remove(_ set: Int32) -> KernelOutcome
  /// The value of one semaphore; `nil` when it cannot be read.
  func value(_ set: Int32, _ semaphore: Int) -> Int?
  /// The last process to change a semaphore; `nil` when unknown.
  func lastProcess(_ set: Int32, _ semaphore: Int) -> Int32?
  /// The traces of a set by which writes to its values are noticed; `nil` when it cannot be read.
  func trace(_ set: Int32) -> SetTrace?
  /// The number of the process that does the operations.
  var process: Int32 { get }
  /// Processes that sleep until a semaphore grows.
  func waiters(_ set: Int32, _ semaphore: Int) -> Int?
}

/// The values of a set, or why there are none.
public enum SetReading: Sendable, Equatable {
  /// The set is gone (EIDRM, EINVAL).
  case gone
  /// The set is there and its mode does not let this process read it.
  case unreadable
  /// One value for each semaphore.
  case values([UInt16])

  /// The values; `nil` where there are none.
  var known: [UInt16]? { if case .values(let values) = self { values } else { nil } }
}

/// One wait of one thread in the kernel, on behalf of a lock's queue.
public struct KernelWait: Sendable {
  /// Names the wait.
  public var number: Int
  /// The lock's record.
  public var lock: Int
  /// The set.
  public var set: Int32
  /// The semaphore that names the lock.
  public var semaphore: Int
  /// The share that is waited for.
  public var share: Share
  /// The steps to ask of the kernel.
  public var steps: WaitSteps
}

/// Waits in the kernel on behalf of queues, because only a thread asleep in semop learns that a native process let go.
public protocol KernelWaiting: AnyObject {
  /// Begins a wait with SEM_UNDO; the answer comes as an event to the ledger. False when every waiting thread is busy:
  /// then the ledger asks again every few milliseconds.
  func begin(_ wait: KernelWait) -> Bool
  /// Stops a wait. A grant that was on its way is still reported.
  func cancel(_ number: Int)
  /// Threads that wait now.
  var count: Int { get }
}
