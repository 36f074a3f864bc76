import CSysV
public import SystemPackage

extension SemaphoreSet {
  /// The value of one semaphore, from 0 to 32767.
  ///
  /// - Throws: `Errno.invalidArgument` for a semaphore the set does not have, `Errno.permissionDenied` without read
  ///   permission.
  ///
  /// The corresponding C function is `semctl`, with `GETVAL`.
  public func value(of semaphore: Int) throws(Errno) -> UInt16 {
    UInt16(clamping: try ask(GETVAL, semaphore))
  }

  /// Sets the value of one semaphore, wakes the sleepers that it satisfies, and forgets all its undos in all processes.
  ///
  /// - Throws: `Errno.outOfRange` above ``SemaphoreLimits/valueMax``; otherwise as ``value(of:)``.
  ///
  /// The corresponding C function is `semctl`, with `SETVAL`.
  public func setValue(_ value: UInt16, of semaphore: Int) throws(Errno) {
    try throwingErrno(system_semctl(id, CInt(clamping: semaphore), SETVAL, csysv_semun(val: CInt(value))))
  }

  /// All values, as of one instant.
  ///
  /// Asks for the count first: two calls. Needs read permission.
  ///
  /// - Throws: As ``value(of:)``.
  ///
  /// The corresponding C function is `semctl`, with `GETALL`.
  public func values() throws(Errno) -> [UInt16] {
    let count = try status().count
    var failure: Errno?
    let values = [UInt16](unsafeUninitializedCapacity: count) { buffer, initialized in
      failure = readValues(unchecked: buffer)
      initialized = failure == nil ? count : 0
    }
    if let failure { throw failure }
    return values
  }

  /// Sets all values in one step, wakes the sleepers they satisfy, and forgets all undos of the set in all processes.
  ///
  /// Asks for the count first: two calls, which need read and write permission.
  /// - Throws: `Errno.invalidArgument` when the number of values is not that of the semaphores,
  ///   `Errno.outOfRange` when one is above ``SemaphoreLimits/valueMax``; then nothing has changed.
  ///
  /// The corresponding C function is `semctl`, with `SETALL`.
  public func setValues(_ values: [UInt16]) throws(Errno) {
    guard try status().count == values.count else { throw .invalidArgument }
    if let error = values.withUnsafeBufferPointer({ writeValues(unchecked: $0) }) { throw error }
  }

  /// All values in one call and without allocation; the kernel is not told the size of the buffer.
  ///
  /// - Parameter buffer: Room for every semaphore of the set. Less is overwritten memory.
  /// - Returns: `nil` when done.
  ///
  /// The corresponding C function is `semctl`, with `GETALL`.
  public func readValues(unchecked buffer: UnsafeMutableBufferPointer<UInt16>) -> Errno? {
    errnoOrNil(system_semctl(id, 0, GETALL, csysv_semun(array: buffer.baseAddress)))
  }

  /// Sets all values in one call; the kernel is not told the size of the buffer.
  ///
  /// Needs write permission only.
  /// - Parameter buffer: A value for every semaphore of the set. Less is read beyond the end.
  /// - Returns: `nil` when done.
  ///
  /// The corresponding C function is `semctl`, with `SETALL`.
  public func writeValues(unchecked buffer: UnsafeBufferPointer<UInt16>) -> Errno? {
    errnoOrNil(system_semctl(id, 0, SETALL, csysv_semun(array: UnsafeMutablePointer(mutating: buffer.baseAddress))))
  }

  /// The process that last changed this semaphore by an operation or set it; 0 if none has, or it is out of sight.
  ///
  /// The number is that of the caller's PID namespace, and stays when the process has ended.
  /// - Throws: As ``value(of:)``.
  ///
  /// The corresponding C function is `semctl`, with `GETPID`.
  public func lastProcessID(of semaphore: Int) throws(Errno) -> Int32 {
    try ask(GETPID, semaphore)
  }

  /// The number of threads that wait for this semaphore to grow.
  ///
  /// A process that waits for several semaphores counts at the one that keeps it. Takes longer the more there are.
  /// - Throws: As ``value(of:)``.
  ///
  /// The corresponding C function is `semctl`, with `GETNCNT`.
  public func waiterCount(of semaphore: Int) throws(Errno) -> Int {
    Int(try ask(GETNCNT, semaphore))
  }

  /// The number of threads that wait for this semaphore to become zero.
  ///
  /// - Throws: As ``value(of:)``.
  ///
  /// The corresponding C function is `semctl`, with `GETZCNT`.
  public func zeroWaiterCount(of semaphore: Int) throws(Errno) -> Int {
    Int(try ask(GETZCNT, semaphore))
  }

  private func ask(_ command: CInt, _ semaphore: Int) throws(Errno) -> CInt {
    try throwingErrno(system_semctl(id, CInt(clamping: semaphore), command))
  }
}
