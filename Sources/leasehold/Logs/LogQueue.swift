internal import Leasehold
internal import LeaseholdHost
internal import LeaseholdLocal
import Synchronization

/// Lines on their way to a reader that may be slow, or gone.
///
/// A thread that logs puts a line here and goes on. One thread writes them, and it alone waits for the reader. A line
/// that does not fit any more, or that cannot be written, is dropped and counted; where there is room again the log
/// says how many it lacks.
final class LogQueue: Sendable {
  /// The room for lines that wait; as much again is being written.
  struct Room: Sendable {
    var lines = 4096
    var bytes = 512 * 1024
  }

  /// Lines, each with the number of those that are missing before it.
  private struct Batch {
    var lines: [(missing: UInt64, line: String)] = []
    /// Missing since the last line.
    var missing: UInt64 = 0
    var bytes = 0
  }

  private struct State {
    var batch = Batch()
    /// The thread has written all and sleeps.
    var isIdle = false
  }

  private let descriptor: Int32
  private let room: Room
  private let gapLine: @Sendable (UInt64) -> String
  private let state = Mutex(State())
  private let dropped = Atomic<UInt64>(0)
  private let work = Alarm()
  private let rest = Alarm()

  /// Starts the thread; `nil` when there cannot be one more.
  ///
  /// - Parameter gapLine: The line that tells of so many lines that are missing.
  init?(descriptor: Int32, room: Room = Room(), gapLine: @escaping @Sendable (UInt64) -> String) {
    self.descriptor = descriptor
    self.room = room
    self.gapLine = gapLine
    guard HostThread(named: "lh-log", { [self] in run() }) != nil else { return nil }
  }

  /// Lines that were lost.
  var droppedLines: UInt64 { dropped.load(ordering: .relaxed) }

  /// True when a line stands in the queue that the thread has not taken.
  var isWaiting: Bool { state.withLock { !$0.batch.lines.isEmpty } }

  /// Puts a line in the queue, or drops it; never waits for the reader.
  func append(_ line: String) {
    let wakes = state.withLock { state -> Bool in
      let size = line.utf8.count
      guard state.batch.lines.count < room.lines, state.batch.bytes + size <= room.bytes else {
        state.batch.missing += 1
        dropped.add(1, ordering: .relaxed)
        return false
      }
      state.batch.lines.append((state.batch.missing, line))
      state.batch.missing = 0
      state.batch.bytes += size
      defer { state.isIdle = false }
      return state.isIdle
    }
    if wakes { work.ring() }
  }

  /// Waits until all is written, at most as long as given; false when it is not.
  @discardableResult
  func flush(within span: TimeSpan) -> Bool {
    let deadline = HostClock.monotonic() + span.nanoseconds
    while true {
      if state.withLock({ $0.isIdle }) { return true }
      if HostClock.monotonic() >= deadline { return false }
      rest.sleep(until: deadline)
    }
  }

  private func run() {
    var writer = LineWriter(descriptor: descriptor)
    var missing: UInt64 = 0
    while true {
      let batch = next()
      for (before, line) in batch.lines {
        missing += before
        if missing > 0, writer.write(gapLine(missing)) { missing = 0 }
        if writer.write(line) { continue }
        missing += 1
        dropped.add(1, ordering: .relaxed)
      }
      missing += batch.missing
      if missing > 0, writer.write(gapLine(missing)) { missing = 0 }
    }
  }

  /// The lines to write, as soon as there are any.
  private func next() -> Batch {
    while true {
      let batch = state.withLock { state in
        defer { state.batch = Batch() }
        state.isIdle = state.batch.lines.isEmpty && state.batch.missing == 0
        return state.isIdle ? nil : state.batch
      }
      if let batch { return batch }
      rest.ring()
      work.sleep()
    }
  }
}
