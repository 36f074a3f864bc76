public import SysVTypes

extension SemaphoreOperation {
  /// Adds `delta` without waiting.
  @inline(__always)
  public static func add(_ delta: Int, to semaphore: Int) -> SemaphoreOperation {
    SemaphoreOperation(semaphore: UInt16(semaphore), delta: Int16(delta), flags: .nowait)
  }

  /// Adds `delta` without waiting; the kernel takes it back when this process dies.
  public static func addUndone(_ delta: Int, to semaphore: Int) -> SemaphoreOperation {
    SemaphoreOperation(semaphore: UInt16(semaphore), delta: Int16(delta), flags: [.nowait, .undo])
  }

  /// Adds `delta` (0: waits for zero), waiting until that is possible; the kernel takes it back when this process dies.
  public static func awaitUndone(_ delta: Int, on semaphore: Int) -> SemaphoreOperation {
    SemaphoreOperation(semaphore: UInt16(semaphore), delta: Int16(delta), flags: .undo)
  }

  /// Goes on only if the value is zero.
  public static func expectZero(_ semaphore: Int) -> SemaphoreOperation {
    SemaphoreOperation(semaphore: UInt16(semaphore), delta: 0, flags: .nowait)
  }
}

/// Up to six operations that happen together or not at all.
///
/// Fits in registers and on the stack: no allocation.
public struct OpList: Sendable {
  /// The number of records in use.
  public private(set) var count: Int
  /// The operations; those from ``count`` on are idle.
  public private(set) var storage: InlineArray<6, SemaphoreOperation>

  /// The longest list.
  public static let capacity = 6

  /// Makes a list of at most ``capacity`` operations.
  public init(_ operations: SemaphoreOperation...) {
    precondition(operations.count <= Self.capacity, "an op list holds \(Self.capacity) operations")
    count = operations.count
    storage = InlineArray(repeating: SemaphoreOperation(semaphore: 0, delta: 0))
    for index in operations.indices { storage[index] = operations[index] }
  }

  /// Makes a list of two operations without the array that a variadic call may cost.
  @inline(__always)
  public init(_ first: SemaphoreOperation, then second: SemaphoreOperation) {
    count = 2
    storage = InlineArray(repeating: second)
    storage[0] = first
  }

  /// The operations, in order.
  public var all: [SemaphoreOperation] { (0..<count).map { storage[$0] } }
}
