@_exported public import SysVTypes

extension SemaphoreOperation {
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
}
