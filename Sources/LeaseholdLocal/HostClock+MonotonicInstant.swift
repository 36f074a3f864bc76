import Leasehold
import LeaseholdHost

extension HostClock {
  /// CLOCK_MONOTONIC now.
  static func now() -> MonotonicInstant { MonotonicInstant(nanoseconds: monotonic()) }
}
