import CSysV
public import SystemPackage

/// A process, held in such a way that its number cannot come to mean another one.
///
/// Closes its descriptor when it goes out of scope.
public struct ProcessHandle: ~Copyable, Sendable {
  /// The number that the process had when the handle was made.
  public let processID: Int32
  /// Readable from the moment the process has ended; for `poll` or `epoll`, beside other descriptors.
  ///
  /// Owned by the handle: do not close it, and do not keep it longer. Closed when the process executes another program.
  public let fileDescriptor: FileDescriptor

  /// Takes hold of a running process, or of one that has ended and is not yet waited for.
  ///
  /// - Parameter processID: In the caller's PID namespace; a process, not one of its other threads.
  /// - Throws: `Errno.noSuchProcess`, `Errno.invalidArgument` for a number below 1, `Errno.tooManyOpenFiles`,
  ///   `Errno.noFunction` before Linux 5.3.
  ///
  /// The corresponding C function is `pidfd_open`.
  public init(processID: Int32) throws(Errno) {
    fileDescriptor = FileDescriptor(rawValue: try throwingErrno(system_pidfd_open(processID, 0)))
    self.processID = processID
  }

  /// Takes hold of the process that made a connection, also where its number cannot be seen from here.
  ///
  /// - Parameters:
  ///   - socket: A connected Unix socket.
  ///   - processID: Its number as SO_PEERCRED tells, 0 when it cannot be seen.
  /// - Throws: `Errno.protocolNotAvailable` before Linux 6.5, `Errno.noSuchProcess` or `Errno.invalidArgument` when it
  ///   ended.
  ///
  /// The corresponding C function is `getsockopt` with `SO_PEERPIDFD`.
  public init(peerOf socket: FileDescriptor, processID: Int32) throws(Errno) {
    fileDescriptor = FileDescriptor(rawValue: try throwingErrno(system_getsockopt_peerpidfd(socket.rawValue)))
    self.processID = processID
  }

  deinit {
    _ = system_close(fileDescriptor.rawValue)
  }

  /// A number that no other process ever has until the next boot; `nil` before Linux 6.9.
  ///
  /// The corresponding C functions are `fstatfs` and `fstat`.
  public var inode: UInt64? {
    let inode = system_pidfd_inode(fileDescriptor.rawValue)
    return inode == 0 ? nil : inode
  }

  /// Waits until the process has ended, and says whether it has.
  ///
  /// It has ended when its last thread has: the kernel has then run its undos, if they were not shared.
  /// - Parameter timeout: `nil` waits without end, zero only looks. Rounded up to milliseconds, at most 24 days.
  /// - Throws: `Errno.interrupted` when a signal handler has run, `Errno.noMemory`.
  ///
  /// The corresponding C function is `poll`.
  public func hasEnded(within timeout: Duration? = .zero) throws(Errno) -> Bool {
    var entry = pollfd(fd: fileDescriptor.rawValue, events: Int16(POLLIN), revents: 0)
    let milliseconds = timeout.map { CInt(clamping: Self.milliseconds($0)) } ?? -1
    return try throwingErrno(system_poll(&entry, 1, milliseconds)) > 0
  }

  /// Sends a signal to this process and no other.
  ///
  /// - Parameter signal: Its number; 0 only asks whether one could be sent.
  /// - Throws: `Errno.noSuchProcess` when it has ended and was waited for, `Errno.notPermitted`.
  ///
  /// The corresponding C function is `pidfd_send_signal`.
  public func send(signal: Int32) throws(Errno) {
    try throwingErrno(system_pidfd_send_signal(fileDescriptor.rawValue, signal))
  }

  private static func milliseconds(_ duration: Duration) -> Int64 {
    let (seconds, nanoseconds) = duration.nonNegativeComponents
    return min(seconds, Int64(CInt.max)) * 1000 + (nanoseconds + 999_999) / 1_000_000
  }
}
