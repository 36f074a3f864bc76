internal import CSupervise
internal import Glibc

/// Signals that a handler puts into a pipe, to be read by one thread.
struct CaughtSignals: Sendable {
  private let descriptor: Int32

  /// Catches signals from here on, once a process; those that its parent had ignored stay so, but for some.
  ///
  /// `nil` when there cannot be a pipe; `errno` says why.
  init?(_ signals: [Int32], always: [Int32]) {
    for number in always { signal(number, SIG_DFL) }
    descriptor = csupervise_catch(signals, Int32(signals.count))
    if descriptor < 0 { return nil }
  }

  /// Waits for signals; none when so many milliseconds have passed (-1: waits on).
  func next(within milliseconds: Int32) -> [Int32] {
    var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    var bytes = [UInt8](repeating: 0, count: 16)
    while true {
      let ready = poll(&entry, 1, milliseconds)
      if ready == 0 { return [] }
      let count = ready > 0 ? read(descriptor, &bytes, bytes.count) : 0
      if count > 0 { return bytes[..<count].map { Int32($0) } }
    }
  }
}
