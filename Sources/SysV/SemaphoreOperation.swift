import CSysV

/// One step of an operation on a set: add, subtract, or wait for zero.
///
/// It is laid out as C lays it out, so that an array of them goes to the kernel as it is.
/// The corresponding C type is `struct sembuf`.
public struct SemaphoreOperation: Sendable {
  var sembuf: CSysV.sembuf

  /// What else a step can ask for.
  public struct Flags: OptionSet, Hashable, Sendable {
    /// The bits of `sem_flg`.
    public let rawValue: Int16

    /// Takes the bits of `sem_flg`.
    public init(rawValue: Int16) { self.rawValue = rawValue }

    /// Fails with `Errno.resourceTemporarilyUnavailable` instead of waiting.
    ///
    /// The corresponding C constant is `IPC_NOWAIT`.
    public static let nowait = Flags(rawValue: Int16(IPC_NOWAIT))

    /// Lets the kernel take the step back when the process ends.
    ///
    /// The corresponding C constant is `SEM_UNDO`.
    public static let undo = Flags(rawValue: Int16(SEM_UNDO))
  }

  /// Describes one step.
  ///
  /// - Parameters:
  ///   - semaphore: Its number in the set, from 0. Too large: `Errno.fileTooLarge` when operated.
  ///   - delta: Positive adds at once; negative waits until that much is there and subtracts it; zero waits for zero.
  ///   - flags: Whether to wait, and whether the kernel undoes the step when the process ends.
  public init(semaphore: UInt16, delta: Int16, flags: Flags = []) {
    sembuf = CSysV.sembuf(sem_num: semaphore, sem_op: delta, sem_flg: flags.rawValue)
  }

  /// Adds to a semaphore; never waits.
  public static func add(_ amount: Int16, to semaphore: UInt16, _ flags: Flags = []) -> SemaphoreOperation {
    SemaphoreOperation(semaphore: semaphore, delta: amount, flags: flags)
  }

  /// Waits until the semaphore has as much, and subtracts it.
  public static func subtract(_ amount: Int16, from semaphore: UInt16, _ flags: Flags = []) -> SemaphoreOperation {
    SemaphoreOperation(semaphore: semaphore, delta: -amount, flags: flags)
  }

  /// Waits until the semaphore is zero, and changes nothing.
  public static func wait(forZero semaphore: UInt16, _ flags: Flags = []) -> SemaphoreOperation {
    SemaphoreOperation(semaphore: semaphore, delta: 0, flags: flags)
  }

  /// The number of the semaphore in the set, from 0.
  public var semaphore: UInt16 {
    get { sembuf.sem_num }
    set { sembuf.sem_num = newValue }
  }

  /// What is added; zero waits for zero.
  public var delta: Int16 {
    get { sembuf.sem_op }
    set { sembuf.sem_op = newValue }
  }

  /// Whether the step waits, and whether the kernel undoes it when the process ends.
  public var flags: Flags {
    get { Flags(rawValue: sembuf.sem_flg) }
    set { sembuf.sem_flg = newValue.rawValue }
  }
}

extension SemaphoreOperation: Hashable {
  /// Equal in semaphore, delta and flags.
  public static func == (a: SemaphoreOperation, b: SemaphoreOperation) -> Bool {
    a.semaphore == b.semaphore && a.delta == b.delta && a.flags == b.flags
  }

  /// Hashes semaphore, delta and flags.
  public func hash(into hasher: inout Hasher) {
    hasher.combine(semaphore)
    hasher.combine(delta)
    hasher.combine(flags)
  }
}
