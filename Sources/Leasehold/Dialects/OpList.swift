/// One operation on one semaphore: what semop(2) calls a `struct sembuf`, in its layout.
@frozen
public struct Operation: Hashable, Sendable {
  /// The number of the semaphore in its set.
  public var semaphore: UInt16
  /// What to add; 0 waits for zero.
  public var delta: Int16
  /// IPC_NOWAIT and SEM_UNDO.
  public var flags: Int16

  /// Does not wait: the whole list fails with EAGAIN instead.
  public static let noWait: Int16 = 0o4000
  /// The kernel takes it back when the process dies.
  public static let undo: Int16 = 0o10000

  /// Adds `delta` without waiting.
  public static func add(_ delta: Int, to semaphore: Int) -> Operation {
    Operation(semaphore: UInt16(semaphore), delta: Int16(delta), flags: noWait)
  }

  /// Adds `delta` without waiting; the kernel takes it back when this process dies.
  public static func addUndone(_ delta: Int, to semaphore: Int) -> Operation {
    Operation(semaphore: UInt16(semaphore), delta: Int16(delta), flags: noWait | undo)
  }

  /// Adds `delta` (0: waits for zero), waiting until that is possible; the kernel takes it back when this process dies.
  public static func awaitUndone(_ delta: Int, on semaphore: Int) -> Operation {
    Operation(semaphore: UInt16(semaphore), delta: Int16(delta), flags: undo)
  }

  /// Goes on only if the value is zero.
  public static func expectZero(_ semaphore: Int) -> Operation {
    Operation(semaphore: UInt16(semaphore), delta: 0, flags: noWait)
  }
}

/// Up to six operations that happen together or not at all.
///
/// Fits in registers and on the stack: no allocation.
public struct OpList: Sendable {
  /// How many are in use.
  public private(set) var count: Int
  /// The operations; those from ``count`` on are idle.
  public private(set) var storage: InlineArray<6, Operation>

  /// The longest list.
  public static let capacity = 6

  /// Makes a list of at most ``capacity`` operations.
  public init(_ operations: Operation...) {
    precondition(operations.count <= Self.capacity, "an op list holds \(Self.capacity) operations")
    count = operations.count
    storage = InlineArray(repeating: Operation(semaphore: 0, delta: 0, flags: 0))
    for index in operations.indices { storage[index] = operations[index] }
  }

  /// Makes a list of two operations without the array that a variadic call may cost.
  @inline(__always)
  public init(_ first: Operation, then second: Operation) {
    count = 2
    storage = InlineArray(repeating: second)
    storage[0] = first
  }

  /// The operation at a position below ``count``.
  public subscript(index: Int) -> Operation { storage[index] }
}
