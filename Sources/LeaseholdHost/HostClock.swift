import Glibc

/// The host's clocks, in nanoseconds; about 25 ns, no system call (vdso(7)).
package enum HostClock {
  /// CLOCK_MONOTONIC now.
  package static func monotonic() -> Int64 { read(CLOCK_MONOTONIC) }

  /// The reading of CLOCK_MONOTONIC that lies this far ahead, saturating.
  package static func monotonic(after duration: Duration) -> Int64 {
    let (sum, overflows) = monotonic().addingReportingOverflow(duration.wholeNanoseconds)
    return overflows ? .max : sum
  }

  /// CLOCK_BOOTTIME now: as CLOCK_MONOTONIC, and it goes on while the machine sleeps.
  package static func sinceBoot() -> Int64 { read(CLOCK_BOOTTIME) }

  /// CLOCK_REALTIME now.
  package static func wall() -> Int64 { read(CLOCK_REALTIME) }

  /// The processor time of this process, of users' code and the kernel's: CLOCK_PROCESS_CPUTIME_ID.
  package static func processorTime() -> Int64 { read(CLOCK_PROCESS_CPUTIME_ID) }

  /// CLOCK_REALTIME less CLOCK_MONOTONIC.
  package static func wallOffset() -> Int64 { wall() - monotonic() }

  /// The milliseconds that `poll` and its like shall wait for a reading of CLOCK_MONOTONIC: rounded up, at least 0.
  package static func milliseconds(until instant: Int64) -> Int32 {
    Int32(clamping: max(0, instant.subtractingReportingOverflow(monotonic()).partialValue + 999_999) / 1_000_000)
  }

  /// Sleeps, whatever signals come.
  package static func sleep(nanoseconds: Int64) {
    let end = monotonic() + nanoseconds
    withTimespec(nanoseconds: end) { while clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, $0, nil) == EINTR {} }
  }

  private static func read(_ clock: clockid_t) -> Int64 {
    var time: (seconds: Int, nanoseconds: Int) = (0, 0)
    withUnsafeMutablePointer(to: &time) { time in
      _ = time.withMemoryRebound(to: timespec.self, capacity: 1) { clock_gettime(clock, $0) }
    }
    return Int64(time.seconds) * 1_000_000_000 + Int64(time.nanoseconds)
  }

  /// Calls `body` with a `struct timespec`: two words, written as such because several C modules claim its members.
  static func withTimespec<Result>(nanoseconds: Int64, _ body: (UnsafePointer<timespec>) -> Result) -> Result {
    let words = (Int(nanoseconds / 1_000_000_000), Int(nanoseconds % 1_000_000_000))
    return withUnsafePointer(to: words) { $0.withMemoryRebound(to: timespec.self, capacity: 1, body) }
  }
}

extension Duration {
  /// Nanoseconds, rounded toward zero; a hundred years at most.
  package var wholeNanoseconds: Int64 {
    let (seconds, attoseconds) = components
    return min(max(seconds, -3_153_600_000), 3_153_600_000) * 1_000_000_000 + attoseconds / 1_000_000_000
  }
}
