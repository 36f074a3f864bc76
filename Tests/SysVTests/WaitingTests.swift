import Glibc
import HostTestKit
import SysV
import SystemPackage
import Testing

@Suite("A waiter")
struct WaitingTests {
  /// A thread that waits for semaphore 0, once it does.
  private func waiter(
    on set: SemaphoreSet, _ body: @escaping @Sendable (SemaphoreSet) -> Errno?
  ) throws -> TestThread<Errno?> {
    let thread = TestThread { body(set) }
    try eventually { try set.waiterCount(of: 0) + set.zeroWaiterCount(of: 0) == 1 }
    return thread
  }

  @Sendable private static func take(_ set: SemaphoreSet) -> Errno? {
    do throws(Errno) {
      try set.operate([.subtract(1, from: 0)])
      return nil
    } catch {
      return error
    }
  }

  @Sendable private static func takeOnce(_ set: SemaphoreSet) -> Errno? {
    ([.subtract(1, from: 0)] as InlineArray<1, SemaphoreOperation>).withSpan { set.operate($0) }
  }

  @Sendable private static func takeOnceWithTimeout(_ set: SemaphoreSet) -> Errno? {
    ([.subtract(1, from: 0)] as InlineArray<1, SemaphoreOperation>).withSpan {
      set.operate($0, timeoutNanoseconds: 60_000_000_000)
    }
  }

  @Test func isCountedAndGetsWhatIsAdded() throws {
    try withSet { set throws in
      let thread = try waiter(on: set, Self.take)
      #expect(try set.waiterCount(of: 0) == 1)
      #expect(try set.zeroWaiterCount(of: 0) == 0)
      try set.operate([.add(1, to: 0)])
      #expect(try thread.result() == nil)
      #expect(try set.waiterCount(of: 0) == 0)
      #expect(try set.value(of: 0) == 0)
    }
  }

  @Test func forZeroIsCountedAsSuchAndWakesAtZero() throws {
    try withSet(1, [1]) { set throws in
      let thread = try waiter(on: set) { set in
        ([.wait(forZero: 0)] as InlineArray<1, SemaphoreOperation>).withSpan { set.operate($0) }
      }
      #expect(try set.zeroWaiterCount(of: 0) == 1)
      #expect(try set.waiterCount(of: 0) == 0)
      try set.setValue(0, of: 0)
      #expect(try thread.result() == nil)
    }
  }

  @Test func learnsThatTheSetWasRemoved() throws {
    try withSet { set throws in
      let thread = try waiter(on: set, Self.take)
      try set.remove()
      #expect(try thread.result() == .identifierRemoved)
    }
  }

  @Test func ofTheFastFormsIsInterruptedByASignal() throws {
    try withSet { set throws in
      for body in [Self.takeOnce, Self.takeOnceWithTimeout] {
        let thread = try waiter(on: set, body)
        thread.interrupt()
        #expect(try thread.result() == .interrupted)
      }
    }
  }

  @Test func whoAskedNotToRetryIsInterruptedByASignal() throws {
    try withSet { set throws in
      for timeout in [nil, Duration.seconds(60)] {
        let thread = try waiter(on: set) { set in
          do throws(Errno) {
            try set.operate([.subtract(1, from: 0)], timeout: timeout, retryOnInterrupt: false)
            return nil
          } catch {
            return error
          }
        }
        thread.interrupt()
        #expect(try thread.result() == .interrupted)
      }
    }
  }

  @Test func whoRetriesSurvivesSignalsAndGetsWhatIsAdded() throws {
    try withSet { set throws in
      let thread = try waiter(on: set, Self.take)
      for _ in 0..<20 { thread.interrupt() }
      try set.operate([.add(1, to: 0)])
      #expect(try thread.result() == nil)
      #expect(try set.value(of: 0) == 0)
    }
  }

  @Test func theUndoOfAProcessThatIsKilledGivesBackWhatItTook() throws {
    try withSet(1, [3]) { set throws in
      let child = try ChildProcess(
        perl: "semop($ARGV[0], pack('s!3', 0, -2, 0x1000)) or exit 1; sleep 100 while 1", ["\(set.id)"])
      try eventually { try set.value(of: 0) == 1 }
      #expect(try set.lastProcessID(of: 0) == child.id)
      let process = try ProcessHandle(processID: child.id)
      #expect(try !process.hasEnded())
      try process.send(signal: SIGKILL)
      #expect(try process.hasEnded(within: .seconds(20)))
      #expect(try set.value(of: 0) == 3)
    }
  }
}

extension InlineArray where Element == SemaphoreOperation {
  fileprivate func withSpan<R>(_ body: (Span<SemaphoreOperation>) -> R) -> R { body(span) }
}
