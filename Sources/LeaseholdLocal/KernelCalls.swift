import Leasehold
import SysV
import SystemPackage

/// Makes a call of the kernel; the error is what `words` make of its errno.
func explaining<Result: ~Copyable, Failure: Error>(
  _ call: @autoclosure () throws(Errno) -> Result, _ words: (Errno) -> Failure
) throws(Failure) -> Result {
  do throws(Errno) { return try call() } catch { throw words(error) }
}

/// Makes a call of the kernel; `nil` where there is no such set or segment, or not any more.
func ifThere<Result>(_ call: @autoclosure () throws(Errno) -> Result) throws(Errno) -> Result? {
  do throws(Errno) { return try call() } catch {
    if error == .noSuchFileOrDirectory || error.saysGone { return nil }
    throw error
  }
}

extension Errno {
  /// The C name, for example `ENOSPC`.
  var label: String { name ?? "errno \(rawValue)" }

  /// The same as the domain knows it.
  var known: KernelErrno { KernelErrno(rawValue, label) }

  /// True when it says that a set or a segment of that number is not there.
  var saysGone: Bool { self == .invalidArgument || self == .identifierRemoved }
}

extension KernelLimit {
  /// The limit behind an error of semget(2) for so many semaphores; `nil` where it is none.
  init?(_ error: Errno, semaphores: Int) {
    guard [.invalidArgument, .noSpace].contains(error), let limits = try? SemaphoreLimits.current() else { return nil }
    if error == .invalidArgument {
      guard semaphores > limits.semaphoresPerSet else { return nil }
      self.init(.semaphoresPerSet, limits.semaphoresPerSet)
    } else {
      guard let usage = try? SemaphoreUsage.current() else { return nil }
      self = usage.sets >= limits.sets ? Self(.sets, limits.sets) : Self(.semaphores, limits.semaphores)
    }
  }
}
