import Glibc

/// Reads CLOCK_MONOTONIC, in nanoseconds.
///
/// The corresponding C function is `clock_gettime`.
func monotonicNanoseconds() -> UInt64 {
  var time = timespec()
  clock_gettime(CLOCK_MONOTONIC, &time)
  return UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec)
}
