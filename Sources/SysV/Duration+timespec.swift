import CSysV

extension timespec {
  /// Rounded up to the next nanosecond, so that nobody waits less than asked; what is negative is zero.
  init(relative duration: Duration) {
    let attosecondsPerNanosecond: Int64 = 1_000_000_000
    guard duration > .zero else {
      self.init(tv_sec: 0, tv_nsec: 0)
      return
    }
    let (seconds, attoseconds) = duration.components
    var nanoseconds = (attoseconds + attosecondsPerNanosecond - 1) / attosecondsPerNanosecond
    var whole = seconds
    if nanoseconds == 1_000_000_000 && whole < .max {
      whole += 1
      nanoseconds = 0
    }
    self.init(tv_sec: Int(whole), tv_nsec: Int(min(nanoseconds, 999_999_999)))
  }
}

extension Duration {
  init(_ time: timespec) {
    self = .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
  }
}
