public import SystemPackage

/// Processes whose ends are waited for, by one thread for all.
///
/// Any thread may insert while another waits. A process leaves the set when its handle goes.
public final class ProcessSet: Sendable {
  private let descriptor: Int32
  private static let most = 64

  /// An empty set.
  ///
  /// - Throws: `Errno.tooManyOpenFiles`, `Errno.noMemory`.
  ///
  /// The corresponding C function is `epoll_create1`.
  public init() throws(Errno) { descriptor = try throwingErrno(system_epoll_create1()) }

  deinit {
    _ = system_close(descriptor)
  }

  /// Adds a process, to be reported once, as `token`; at once when it has ended.
  ///
  /// - Throws: `Errno.fileExists` when this handle is in the set, `Errno.noSpace` above `max_user_watches`.
  ///
  /// The corresponding C function is `epoll_ctl`.
  public func insert(_ process: borrowing ProcessHandle, as token: UInt64) throws(Errno) {
    try throwingErrno(system_epoll_ctl_add(descriptor, process.fileDescriptor.rawValue, token))
  }

  /// Waits until a process has ended; answers the tokens of some that have.
  ///
  /// - Parameter timeoutMilliseconds: -1 waits without end, 0 only looks.
  /// - Throws: `Errno.interrupted` when a signal handler has run.
  ///
  /// The corresponding C function is `epoll_wait`.
  public func wait(timeoutMilliseconds: Int32 = -1) throws(Errno) -> [UInt64] {
    var tokens = [UInt64](repeating: 0, count: Self.most)
    let count = tokens.withUnsafeMutableBufferPointer { tokens in
      system_epoll_wait(descriptor, tokens.baseAddress, CInt(tokens.count), timeoutMilliseconds)
    }
    return Array(tokens.prefix(Int(try throwingErrno(count))))
  }
}
