import Leasehold
import LeaseholdHost
import Synchronization

/// Keeps the mark in ``FenceFile`` ahead of the fences.
///
/// It has a thread of its own: a disk may stall, and the clock must not.
final class FenceKeeper: Sendable {
  /// The mark that was there at the start; 0 for none.
  let found: UInt64
  private let file: FenceFile
  private let wanted: Atomic<UInt64>
  private let kept: Atomic<UInt64>
  /// When the mark that is wanted was first asked for; 0 when it is kept.
  private let asked = Atomic<Int64>(0)
  private let failed = Atomic<UInt64>(0)
  private let isStopping = Atomic(false)
  private let alarm = Alarm()
  private let report: @Sendable (FenceFileError?) -> Void

  /// The time from a failure to the next try.
  private static let pause: Int64 = 1_000_000_000
  /// A disk that takes longer than this to take a mark is said to stall.
  private static let patience: Int64 = 5_000_000_000

  /// Reads the mark, and writes the next one to see that this can be done.
  ///
  /// - Parameter report: Hears how each later write went; on the keeper's thread.
  init(
    directory: String, lastFence: UInt64, report: @escaping @Sendable (FenceFileError?) -> Void
  ) throws(FenceFileError) {
    file = FenceFile(directory: directory)
    found = try file.read() ?? 0
    let mark = Self.ahead(of: max(lastFence, found))
    try file.write(mark)
    wanted = Atomic(mark)
    kept = Atomic(mark)
    self.report = report
  }

  /// The mark on the disk.
  var mark: UInt64 { kept.load(ordering: .acquiring) }

  /// Marks that could not be written.
  var failures: UInt64 { failed.load(ordering: .relaxed) }

  /// Starts the thread; false when there cannot be one more.
  func start() -> Bool {
    HostThread(named: "lh-fences") { [self] in run() } != nil
  }

  /// Notes the last fence; once a second is enough.
  func note(_ lastFence: UInt64, at now: MonotonicInstant) {
    guard lastFence.addingReportingOverflow(FenceFile.ahead / 2).partialValue > mark else { return }
    _ = asked.compareExchange(expected: 0, desired: now.nanoseconds, ordering: .relaxed)
    wanted.store(Self.ahead(of: max(lastFence, mark)), ordering: .releasing)
    alarm.ring()
  }

  /// Returns true when a mark has been asked for that the disk has not taken for some seconds.
  func isStalled(at now: MonotonicInstant) -> Bool {
    let asked = asked.load(ordering: .relaxed)
    return asked != 0 && now.nanoseconds - asked > Self.patience
  }

  /// Lets the thread end; a disk that does not answer is not waited for.
  func stop() {
    isStopping.store(true, ordering: .sequentiallyConsistent)
    alarm.ring()
  }

  private static func ahead(of fence: UInt64) -> UInt64 {
    fence < FenceFile.largest - FenceFile.ahead ? fence + FenceFile.ahead : FenceFile.largest
  }

  private func run() {
    while !isStopping.load(ordering: .sequentiallyConsistent) {
      let mark = wanted.load(ordering: .acquiring)
      guard mark > kept.load(ordering: .relaxed) else {
        alarm.sleep()
        continue
      }
      do throws(FenceFileError) {
        try file.write(mark)
        kept.store(mark, ordering: .releasing)
        asked.store(0, ordering: .relaxed)
        report(nil)
      } catch {
        failed.add(1, ordering: .relaxed)
        report(error)
        alarm.sleep(until: HostClock.monotonic() + Self.pause)
      }
    }
  }
}
