public import SysVTypes

/// A request for a set that may have to be made: semget(2) with IPC_CREAT.
public struct SemaphoreSetRequest: Sendable {
  /// The SysV key; 0 (IPC_PRIVATE) for a set that no program finds by a key.
  public var key: Int32
  /// The number of semaphores of a new set, and the fewest that a set which is there must have.
  public var semaphoreCount: Int
  /// The nine permission bits, 0...0777.
  public var mode: UInt16
  /// The values of a new set, as many as it has semaphores; `nil` for zeros.
  public var values: [UInt16]?
  /// True when a set that is there is an error (IPC_EXCL).
  public var isExclusive: Bool
  /// The caller; a known user becomes the owner of a new set.
  public var caller: Caller

  /// Makes a request.
  public init(
    key: Int32, semaphoreCount: Int, mode: UInt16, values: [UInt16]?, isExclusive: Bool, caller: Caller
  ) {
    self.key = key
    self.semaphoreCount = semaphoreCount
    self.mode = mode
    self.values = values
    self.isExclusive = isExclusive
    self.caller = caller
  }
}

/// Values to write (semctl(2), SETVAL and SETALL).
public enum SemaphoreValues: Sendable {
  /// One for each semaphore of the set.
  case all([UInt16])
  /// One semaphore.
  case one(Int, UInt16)
}

/// A list of operations on one set: all of them are done as one step, or none.
public struct OperationRequest: Sendable {
  /// The set.
  public var address: IPCAddress
  /// The operations, in order; at least one.
  public var steps: [SemaphoreOperation]
  /// The time to wait; zero does not.
  public var wait: TimeSpan
  /// The time that the lease lives without being renewed, where some operation is taken back.
  public var ttl = TimeSpan.zero
  /// Free text of that lease, shown to every caller.
  public var owner: String?
  /// A retry with the same key gets the same lease.
  public var idempotencyKey: String?
  /// The caller.
  public var caller: Caller

  /// True when some operation is taken back, so that they go on a lease.
  public var makesLease: Bool { steps.contains(where: \.undoes) }

  /// Makes a request.
  public init(address: IPCAddress, steps: [SemaphoreOperation], wait: TimeSpan, caller: Caller) {
    self.address = address
    self.steps = steps
    self.wait = wait
    self.caller = caller
  }
}

/// Operations that were done.
public struct OperationResult: Sendable {
  /// The SysV key of the set; 0 for a private one.
  public var key: Int32
  /// The identifier of the set.
  public var id: Int32
  /// The number of operations.
  public var count: Int
  /// The time for which they waited.
  public var waited: TimeSpan

  /// Makes a result.
  public init(key: Int32, id: Int32, count: Int, waited: TimeSpan) {
    self.key = key
    self.id = id
    self.count = count
    self.waited = waited
  }
}
