import Glibc
import SysV
import SystemPackage
import Testing

@Suite("An operation")
struct OperateTests {
  @Test func severalStepsTakeEffectTogetherAndInOrder() throws {
    try withSet(3, [5, 0, 1]) { set throws in
      try set.operate([.subtract(2, from: 0), .add(2, to: 1), .wait(forZero: 2, .nowait).with(semaphore: 1, delta: -1)])
      #expect(try set.values() == [3, 1, 1])
      #expect(try set.status().operatedAtSeconds != nil)
    }
  }

  @Test func theProcessThatLastOperatedIsKnownForEachSemaphore() throws {
    try withSet(2) { set throws in
      #expect(try set.lastProcessID(of: 0) == 0)
      try set.operate([.add(1, to: 0)])
      #expect(try set.lastProcessID(of: 0) == getpid())
      #expect(try set.lastProcessID(of: 1) == 0)
    }
  }

  @Test func oneStepThatCannotBeDoneKeepsAllFromBeingDone() throws {
    try withSet(2, [5, 0]) { set throws in
      #expect(throws: Errno.resourceTemporarilyUnavailable) {
        try set.operate([.subtract(5, from: 0), .subtract(1, from: 1, .nowait)])
      }
      #expect(try set.values() == [5, 0])
    }
  }

  @Test(arguments: [Duration.zero, .seconds(-5), .nanoseconds(1), .milliseconds(2), .milliseconds(30)])
  func waitingEndsAfterTheTimeoutAndNotBefore(timeout: Duration) throws {
    try withSet { set throws in
      let start = SuspendingClock.now
      #expect(throws: Errno.resourceTemporarilyUnavailable) {
        try set.operate([.subtract(1, from: 0)], timeout: timeout)
      }
      #expect(SuspendingClock.now - start >= timeout)
    }
  }

  @Test(arguments: [Duration.seconds(Int64.max), .seconds(1 << 40), .nanoseconds(999_999_999), .zero])
  func whatCanBeDoneAtOnceIsDoneWhateverTheTimeout(timeout: Duration) throws {
    try withSet(1, [1]) { set throws in
      try set.operate([.subtract(1, from: 0)], timeout: timeout)
      #expect(try set.value(of: 0) == 0)
    }
  }

  @Test(arguments: [Int64.min, -1, 0, 1, 2_000_000])
  func theFastFormReturnsTheErrorOfATimeout(nanoseconds: Int64) throws {
    try withSet { set throws in
      let operations: InlineArray<1, SemaphoreOperation> = [.subtract(1, from: 0)]
      #expect(set.operate(operations.span, timeoutNanoseconds: nanoseconds) == .resourceTemporarilyUnavailable)
    }
  }

  @Test func theFastFormsReturnNothingWhenDone() throws {
    try withSet(2, [9, 0]) { set throws in
      let inline: InlineArray<2, SemaphoreOperation> = [.subtract(1, from: 0), .add(1, to: 1)]
      #expect(set.operate(inline.span) == nil)
      #expect(set.operate(inline.span, timeoutNanoseconds: .max) == nil)
      let array: [SemaphoreOperation] = [.subtract(1, from: 0), .add(1, to: 1)]
      #expect(array.withUnsafeBufferPointer { set.operate($0) } == nil)
      #expect(array.withUnsafeBufferPointer { set.operate($0, timeoutNanoseconds: 0) } == nil)
      #expect(try set.values() == [5, 4])
    }
  }

  static let refusals: [(Errno, [SemaphoreOperation])] = [
    (.invalidArgument, []),
    (.fileTooLarge, [.add(1, to: 2)]),
    (.outOfRange, [.add(32767, to: 0), .add(1, to: 0)]),
    (.outOfRange, [.add(32767, to: 0, .undo), .subtract(32767, from: 0), .add(2, to: 0, .undo)]),
    (.resourceTemporarilyUnavailable, [.subtract(1, from: 0, .nowait)]),
    (.resourceTemporarilyUnavailable, [.add(1, to: 0), .wait(forZero: 0, .nowait)]),
  ]

  @Test(arguments: refusals)
  func whatTheKernelRefusesIsThrownAndChangesNothing(error: Errno, operations: [SemaphoreOperation]) throws {
    try withSet(2) { set throws in
      #expect(throws: error) { try set.operate(operations) }
      #expect(throws: error) { try set.operate(operations, timeout: .seconds(9)) }
      #expect(operations.withUnsafeBufferPointer { set.operate($0) } == error)
      #expect(try set.values() == [0, 0])
    }
  }

  @Test func asManyOperationsAsTheLimitAreDoneAndOneMoreIsTooMany() throws {
    try withSet { set throws in
      let limit = try SemaphoreLimits.current().operationsPerCall
      try set.operate(Array(repeating: .add(1, to: 0), count: limit))
      #expect(try Int(set.value(of: 0)) == limit)
      #expect(throws: Errno.argListTooLong) {
        try set.operate(Array(repeating: .add(1, to: 0), count: limit + 1))
      }
    }
  }

  @Test func anOperationIsLaidOutAsCLaysItOut() {
    let operation = SemaphoreOperation(semaphore: 0x0102, delta: -2, flags: [.nowait, .undo])
    #expect(MemoryLayout<SemaphoreOperation>.stride == 6)
    let words = withUnsafeBytes(of: operation) { Array($0.bindMemory(to: UInt16.self)) }
    #expect(words == [0x0102, 0xfffe, 0x1800])
    #expect(operation == SemaphoreOperation(semaphore: 0x0102, delta: -2, flags: [.undo, .nowait]))
    #expect(Set([operation, .add(1, to: 0), .add(1, to: 0)]).count == 2)
  }
}

extension SemaphoreOperation {
  fileprivate func with(semaphore: UInt16, delta: Int16) -> SemaphoreOperation {
    var changed = self
    changed.semaphore = semaphore
    changed.delta = delta
    changed.flags.remove(.nowait)
    return changed
  }
}
