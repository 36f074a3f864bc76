import CSysV
public import SystemPackage
public import SysVTypes

extension SemaphoreSet {
  /// Performs the operations as one step, waiting until all of them can be done.
  ///
  /// Either every operation takes effect or none does. They are applied in order.
  /// - Parameters:
  ///   - operations: From one to ``SemaphoreLimits/operationsPerCall``.
  ///   - timeout: How long to wait, by CLOCK_MONOTONIC. `nil` waits without end; zero or less does not wait.
  ///   - retryOnInterrupt: Whether to go on waiting, for the time that is left, when a signal handler has run.
  ///     The kernel never does that by itself.
  /// - Throws: `Errno.resourceTemporarilyUnavailable` when the time is over or `nowait` was asked,
  ///   `Errno.identifierRemoved` when the set was removed meanwhile, `Errno.invalidArgument` when there is none,
  ///   `Errno.fileTooLarge` for a semaphore it does not have, `Errno.outOfRange` when a value or an undo would pass
  ///   32767, `Errno.argListTooLong` for too many operations, `Errno.permissionDenied`, `Errno.noSpace` and
  ///   `Errno.noMemory` for undos, and `Errno.interrupted` if asked for.
  ///
  /// The corresponding C function is `semtimedop`, or `semop` without a timeout.
  public func operate(
    _ operations: [SemaphoreOperation], timeout: Duration? = nil, retryOnInterrupt: Bool = true
  ) throws(Errno) {
    let error = operations.withUnsafeBufferPointer { operations -> Errno? in
      if let timeout {
        operate(operations, timeout: timeout, retryOnInterrupt: retryOnInterrupt)
      } else {
        operate(operations, retryOnInterrupt: retryOnInterrupt)
      }
    }
    if let error { throw error }
  }

  /// Performs the operations as one step: one call, no allocation, `Errno.interrupted` when a signal handler has run.
  ///
  /// - Returns: `nil` when done, otherwise what ``operate(_:timeout:retryOnInterrupt:)`` throws.
  ///
  /// The corresponding C function is `semop`.
  public func operate(_ operations: UnsafeBufferPointer<SemaphoreOperation>) -> Errno? {
    errnoOrNil(system_semop(id, operations.sembufs, operations.count))
  }

  /// Performs the operations as one step or gives up after a time: one call, no allocation, no retry.
  ///
  /// - Parameter nanoseconds: Measured by CLOCK_MONOTONIC; less than zero counts as zero.
  /// - Returns: `nil` when done, otherwise what ``operate(_:timeout:retryOnInterrupt:)`` throws.
  ///
  /// The corresponding C function is `semtimedop`.
  public func operate(
    _ operations: UnsafeBufferPointer<SemaphoreOperation>, timeoutNanoseconds nanoseconds: Int64
  ) -> Errno? {
    let (seconds, rest) = max(nanoseconds, 0).quotientAndRemainder(dividingBy: 1_000_000_000)
    return operate(operations, timespec(tv_sec: Int(seconds), tv_nsec: Int(rest)))
  }

  /// The same for operations whose bounds the compiler watches, such as those of an `InlineArray`.
  ///
  /// The corresponding C function is `semtimedop`, or `semop` without a timeout.
  public func operate(_ operations: Span<SemaphoreOperation>, timeoutNanoseconds nanoseconds: Int64? = nil) -> Errno? {
    operations.withUnsafeBufferPointer { operations in
      nanoseconds.map { operate(operations, timeoutNanoseconds: $0) } ?? operate(operations)
    }
  }

  private func operate(_ operations: UnsafeBufferPointer<SemaphoreOperation>, retryOnInterrupt: Bool) -> Errno? {
    while true {
      let error = operate(operations)
      if error == .interrupted && retryOnInterrupt { continue }
      return error
    }
  }

  private func operate(
    _ operations: UnsafeBufferPointer<SemaphoreOperation>, timeout: Duration, retryOnInterrupt: Bool
  ) -> Errno? {
    if !retryOnInterrupt { return operate(operations, timespec(relative: timeout)) }
    let deadline = Duration(system_monotonicTime()) + timeout
    var left = timeout
    while true {
      let error = operate(operations, timespec(relative: left))
      guard error == .interrupted else { return error }
      left = deadline - Duration(system_monotonicTime())
      if left <= .zero { return .resourceTemporarilyUnavailable }
    }
  }

  private func operate(_ operations: UnsafeBufferPointer<SemaphoreOperation>, _ timeout: timespec) -> Errno? {
    withUnsafePointer(to: timeout) { errnoOrNil(system_semtimedop(id, operations.sembufs, operations.count, $0)) }
  }
}

extension UnsafeBufferPointer<SemaphoreOperation> {
  /// The kernel only reads; C forgot the const.
  fileprivate var sembufs: UnsafeMutablePointer<sembuf>? {
    UnsafeMutableRawPointer(mutating: baseAddress)?.assumingMemoryBound(to: sembuf.self)
  }
}

extension SemaphoreOperation {
  /// True when its members and flags are where C has them, so that the kernel may read an array of them.
  static var isLaidOutAsInC: Bool {
    typealias Ours = MemoryLayout<SemaphoreOperation>
    typealias Theirs = MemoryLayout<sembuf>
    return (Ours.size, Ours.stride) == (Theirs.size, Theirs.stride)
      && Ours.offset(of: \.semaphore) == Theirs.offset(of: \.sem_num)
      && Ours.offset(of: \.delta) == Theirs.offset(of: \.sem_op)
      && Ours.offset(of: \.flags) == Theirs.offset(of: \.sem_flg)
      && Int32(Flags.nowait.rawValue) == IPC_NOWAIT && Int32(Flags.undo.rawValue) == Int32(SEM_UNDO)
  }
}
