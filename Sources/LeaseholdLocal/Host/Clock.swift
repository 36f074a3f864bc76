import Glibc
public import Leasehold

/// The host's clocks.
public enum HostClock {
  /// CLOCK_MONOTONIC now; about 25 ns, no system call (vdso(7)).
  public static func now() -> MonotonicInstant { MonotonicInstant(nanoseconds: read(CLOCK_MONOTONIC)) }

  /// CLOCK_REALTIME less CLOCK_MONOTONIC, in nanoseconds.
  static func wallOffset() -> Int64 { read(CLOCK_REALTIME) - read(CLOCK_MONOTONIC) }

  private static func read(_ clock: clockid_t) -> Int64 {
    var time: (seconds: Int, nanoseconds: Int) = (0, 0)
    withUnsafeMutablePointer(to: &time) { time in
      _ = time.withMemoryRebound(to: timespec.self, capacity: 1) { clock_gettime(clock, $0) }
    }
    return Int64(time.seconds) * 1_000_000_000 + Int64(time.nanoseconds)
  }

  /// Calls `body` with a `struct timespec`: two words, written as such because two C modules here claim the type's
  /// members.
  static func withTimespec<Result>(nanoseconds: Int64, _ body: (UnsafePointer<timespec>) -> Result) -> Result {
    let words = (Int(nanoseconds / 1_000_000_000), Int(nanoseconds % 1_000_000_000))
    return withUnsafePointer(to: words) { $0.withMemoryRebound(to: timespec.self, capacity: 1, body) }
  }
}
