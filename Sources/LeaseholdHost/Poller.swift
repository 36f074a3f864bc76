internal import CHost
import Glibc

/// Descriptors that one thread waits for, each reported once by a token of its caller's: an epoll set.
///
/// Any thread may add, remove and wake while another waits. Nothing is looked up by descriptor, because that may be
/// another file's by the time of the report. A descriptor that is closed leaves the set by itself.
package final class Poller: Sendable {
  /// A call that the kernel refused.
  package struct Failure: Error, Equatable {
    /// Its name.
    package let call: String
    /// As errno has it: EMFILE, ENFILE, ENOMEM; ENOSPC above fs.epoll.max_user_watches.
    package let errno: Int32
  }

  /// The events of a descriptor that are reported; its end and its errors always are.
  package enum Interest {
    /// It can be read.
    case reading
    /// It can be written.
    case writing
    /// The peer of a socket closed it, or its sending half.
    case hangup
    /// A file of the kernel's tells something else than when it was last read; reported until it is read.
    case changes
  }

  private let epoll: Int32
  private let wakeup: Int32
  private static let batch = 64

  /// An empty set.
  ///
  /// - Throws: ``Failure`` of `epoll_create1` or `eventfd`.
  package init() throws(Failure) {
    epoll = chost_epoll_create()
    guard epoll >= 0 else { throw Failure(call: "epoll_create1", errno: errno) }
    wakeup = chost_wakeup_create(epoll)
    guard wakeup >= 0 else { throw Failure(call: "eventfd", errno: errno) }
  }

  // Runs behind a failure of eventfd, too.
  deinit {
    if wakeup >= 0 { close(wakeup) }
    close(epoll)
  }

  /// Adds a descriptor, to be reported once, and at once where what is waited for has happened.
  ///
  /// - Parameter token: Any number but the largest.
  /// - Throws: ``Failure`` of `epoll_ctl`.
  package func add(_ descriptor: Int32, for interest: Interest, as token: UInt64) throws(Failure) {
    precondition(token != .max, "this token is the poller's own")
    let events =
      switch interest {
      case .reading: CHOST_READING
      case .writing: CHOST_WRITING
      case .hangup: CHOST_HANGUP
      case .changes: CHOST_CHANGES
      }
    guard chost_epoll_add(epoll, descriptor, events, token) == 0 else {
      throw Failure(call: "epoll_ctl", errno: errno)
    }
  }

  /// Takes a descriptor out, which must still be open; nothing happens when it is not in.
  package func remove(_ descriptor: Int32) { _ = chost_epoll_remove(epoll, descriptor) }

  /// Ends the wait, the current one or the next.
  package func wake() { chost_wakeup_ring(wakeup) }

  /// Waits until something is to be reported, the time is over, or it is woken.
  ///
  /// - Parameter milliseconds: -1 waits without end, 0 only looks.
  package func wait(milliseconds: Int32 = -1, _ report: (_ token: UInt64) -> Void) {
    withUnsafeTemporaryAllocation(of: UInt64.self, capacity: Self.batch) { tokens in
      let count = chost_epoll_wait(epoll, tokens.baseAddress, Int32(Self.batch), milliseconds)
      // What fails for another reason than a signal may go on failing, and must not take a whole processor.
      if count < 0, errno != EINTR { HostClock.sleep(nanoseconds: 10_000_000) }
      for index in 0..<max(0, Int(count)) {
        if tokens[index] == .max { chost_wakeup_clear(wakeup) } else { report(tokens[index]) }
      }
    }
  }
}
