import Glibc
import Leasehold

extension LeaseholdError {
  /// The error of a kernel that lacks what a waiting request needs; nothing was done.
  static func cannotWait(_ call: String, _ errno: Int32) -> LeaseholdError {
    let name =
      switch errno {
      case EAGAIN: "EAGAIN"
      case EMFILE: "EMFILE"
      case ENFILE: "ENFILE"
      case ENOMEM: "ENOMEM"
      case ENOSPC: "ENOSPC"
      case EPERM: "EPERM"
      default: "errno \(errno)"
      }
    let limit =
      call == "pthread_create"
      ? "the service has as many tasks as it may (TasksMax, pids.max, ulimit -u)"
      : "its user watches as many descriptors as it may (fs.epoll.max_user_watches)"
    return LeaseholdError(
      .kernelLimit,
      "The kernel cannot let this request wait (\(call): \(name)), so nothing was done: memory is short, or \(limit). "
        + "Try again later, or ask without waiting.",
      facts: [("errno", .text(name)), ("limit", .text(call == "pthread_create" ? "tasks" : "max_user_watches"))],
      retryAfter: .seconds(1))
  }
}
