/// One step of an operation on a set: add, subtract, or wait for zero.
///
/// It is laid out as C lays it out, so that an array of them goes to the kernel as it is.
/// The corresponding C type is `struct sembuf`.
public struct SemaphoreOperation: Hashable, Sendable {
  /// The number of the semaphore in the set, from 0.
  public var semaphore: UInt16
  /// The number that is added: less than zero waits until that much is there, zero waits for zero.
  public var delta: Int16
  /// The flags: waiting or not, undone or not when the process ends.
  public var flags: Flags

  /// A flag of a step.
  public struct Flags: OptionSet, Hashable, Sendable {
    /// The bits of `sem_flg`.
    public let rawValue: Int16

    /// Takes the bits of `sem_flg`.
    @inlinable
    public init(rawValue: Int16) { self.rawValue = rawValue }

    /// Fails with EAGAIN instead of waiting.
    ///
    /// The corresponding C constant is `IPC_NOWAIT`.
    @inlinable
    public static var nowait: Flags { Flags(rawValue: 0o4000) }

    /// Lets the kernel take the step back when the process ends.
    ///
    /// The corresponding C constant is `SEM_UNDO`.
    @inlinable
    public static var undo: Flags { Flags(rawValue: 0o10000) }
  }

  /// Describes one step.
  ///
  /// - Parameters:
  ///   - semaphore: Its number in the set, from 0. Too large: EFBIG when operated.
  ///   - delta: Positive adds at once; negative waits until that much is there and subtracts it; zero waits for zero.
  ///   - flags: Whether to wait, and whether the kernel undoes the step when the process ends.
  @inlinable
  public init(semaphore: UInt16, delta: Int16, flags: Flags = []) {
    self.semaphore = semaphore
    self.delta = delta
    self.flags = flags
  }

  /// True when the list is refused where this step would have to wait.
  @inlinable
  public var refusesToWait: Bool { flags.contains(.nowait) }

  /// True when the kernel takes the step back at the end of the process that did it.
  @inlinable
  public var undoes: Bool { flags.contains(.undo) }
}
