import CSysV

extension Duration {
  /// Rounded up to the next nanosecond, so that no wait is shorter than asked; what is negative is zero.
  package var nonNegativeComponents: (seconds: Int64, nanoseconds: Int64) {
    let attosecondsPerNanosecond: Int64 = 1_000_000_000
    guard self > .zero else { return (0, 0) }
    let (seconds, attoseconds) = components
    let nanoseconds = (attoseconds + attosecondsPerNanosecond - 1) / attosecondsPerNanosecond
    if nanoseconds < 1_000_000_000 { return (seconds, nanoseconds) }
    return seconds < .max ? (seconds + 1, 0) : (seconds, 999_999_999)
  }

  init(_ time: timespec) {
    self = .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
  }
}

extension timespec {
  init(relative duration: Duration) {
    let (seconds, nanoseconds) = duration.nonNegativeComponents
    self.init(tv_sec: Int(seconds), tv_nsec: Int(nanoseconds))
  }
}
