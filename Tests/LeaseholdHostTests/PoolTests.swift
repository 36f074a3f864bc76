import Glibc
import LeaseholdHost
import Synchronization
import Testing

/// A door that threads of a test wait at.
private final class Door: Sendable {
  private let alarm = Alarm()
  func open() { alarm.ring() }
  func pass() { alarm.sleep() }
}

@Suite struct BlockingPoolTests {
  @Test func aPoolHasSoManyPlacesAndNoMore() throws {
    let pool = BlockingPool(named: "test", threadsMax: 2)
    let doors = [Door(), Door()]
    for door in doors { try pool.reserve().run { door.pass() } }
    #expect(throws: BlockingPool.Refusal.full) { _ = try pool.reserve() }
    #expect(pool.busy == 2)
    for door in doors { door.open() }
    pool.stop()
  }

  @Test func moreWorkStandsInLineAndIsDoneInItsOrder() throws {
    let pool = BlockingPool(named: "test", threadsMax: 1, lineMax: 3)
    let door = Door()
    let order = Mutex<[Int]>([])
    try pool.reserve().run { door.pass() }
    for number in 1...2 { try pool.reserve().run { order.withLock { $0.append(number) } } }
    do {
      let place = try pool.reserve()
      #expect(throws: BlockingPool.Refusal.full) { _ = try pool.reserve() }
      _ = consume place
    }
    let last = try pool.reserve()
    #expect(throws: BlockingPool.Refusal.full) { _ = try pool.reserve() }
    door.open()
    while pool.busy > 0 { sched_yield() }
    // Nobody stands in line any more: its work goes to the thread that is free.
    last.run { order.withLock { $0.append(3) } }
    #expect(pool.stop())
    #expect(order.withLock { $0 } == [1, 2, 3])
  }

  @Test func whatStandsInLineIsDoneBeforeAPoolEnds() throws {
    let pool = BlockingPool(named: "test", threadsMax: 2, lineMax: 50)
    let (doors, ran) = ([Door(), Door()], Counter())
    for door in doors { try pool.reserve().run { door.pass() } }
    for _ in 0..<50 { try pool.reserve().run { ran.add(1) } }
    #expect(!pool.stop(by: 0))
    for door in doors { door.open() }
    while ran.value < 50 { sched_yield() }
  }

  @Test func aPlaceThatIsNotUsedIsGivenBack() throws {
    let pool = BlockingPool(named: "test", threadsMax: 1)
    do {
      let place = try pool.reserve()
      #expect(throws: BlockingPool.Refusal.full) { _ = try pool.reserve() }
      _ = consume place
    }
    let done = Door()
    try pool.reserve().run { done.open() }
    done.pass()
    pool.stop()
  }

  @Test func threadsAreUsedAgain() throws {
    let pool = BlockingPool(named: "test", threadsMax: 1)
    let threads = Mutex<Set<pthread_t>>([])
    for _ in 0..<100 {
      while pool.busy > 0 { sched_yield() }
      try pool.reserve().run { _ = threads.withLock { $0.insert(pthread_self()) } }
    }
    pool.stop()
    #expect(threads.withLock(\.count) == 1)
  }

  @Test func stoppingWaitsForWhatRunsAndTakesNothingOn() throws {
    let pool = BlockingPool(named: "test", threadsMax: 2)
    let (begun, door, isDone) = (Door(), Door(), Flag())
    try pool.reserve().run {
      begun.open()
      door.pass()
      isDone.set()
    }
    begun.pass()
    #expect(!pool.stop(by: 0))
    #expect(throws: BlockingPool.Refusal.stopped) { _ = try pool.reserve() }
    #expect(!isDone.isSet)
    door.open()

    let other = BlockingPool(named: "test", threadsMax: 2)
    let wasDone = Flag()
    try other.reserve().run { wasDone.set() }
    #expect(other.stop())
    #expect(wasDone.isSet)
  }

  @Test func manyCallersNeverRunMoreThanTheMaximumAtOnce() {
    let pool = BlockingPool(named: "test", threadsMax: 3)
    let (now, runningMax, ran, refused) = (Counter(), Counter(), Counter(), Counter())
    let callers = (0..<4).compactMap { _ in
      HostThread {
        for _ in 0..<500 {
          do {
            try pool.reserve().run {
              runningMax.raise(to: now.add(1))
              ran.add(1)
              now.add(-1)
            }
          } catch {
            refused.add(1)
          }
        }
      }
    }
    for caller in callers { caller.join() }
    pool.stop()
    #expect(runningMax.value <= 3 && runningMax.value > 0)
    #expect(ran.value + refused.value == callers.count * 500)
  }
}

@Suite struct SleeperPoolTests {
  /// Sleeps in the kernel until it is told to end, as semop does: a signal alone ends the call.
  private static func sleepUntilTold(_ sleep: SleeperPool.Sleep) -> SleeperPool.End? {
    while sleep.end == nil { _ = poll(nil, 0, -1) }
    return sleep.end
  }

  @Test func aSleepThatIsCanceledEndsHoweverEarlyTheSignalCame() throws {
    let pool = SleeperPool(named: "test", threadsMax: 1)
    let ends = Mutex<[SleeperPool.End?]>([])
    for id in 1...200 {
      let ended = Door()
      try pool.begin(UInt64(id)) { sleep in
        let end = Self.sleepUntilTold(sleep)
        return {
          ends.withLock { $0.append(end) }
          ended.open()
        }
      }
      pool.cancel(UInt64(id))
      ended.pass()
    }
    #expect(ends.withLock(\.self) == Array(repeating: .canceled, count: 200))
    #expect(pool.count == 0)
    pool.stop()
  }

  @Test func aReportMayBeginTheNextSleepOnTheOnlyThread() throws {
    let pool = SleeperPool(named: "test", threadsMax: 1)
    let done = Door()
    let refusal = Mutex<BlockingPool.Refusal?>(nil)
    try pool.begin(1) { _ in
      {
        do throws(BlockingPool.Refusal) {
          try pool.begin(2) { _ in { done.open() } }
        } catch {
          refusal.withLock { $0 = error }
          done.open()
        }
      }
    }
    done.pass()
    #expect(refusal.withLock(\.self) == nil)
    pool.stop()
  }

  @Test func theFirstToTellASleepDecidesHowItEnds() throws {
    let pool = SleeperPool(named: "test", threadsMax: 2)
    let door = Door()
    let ends = Mutex<[UInt64: SleeperPool.End?]>([:])
    for id in UInt64(1)...2 {
      try pool.begin(id) { sleep in
        if id == 1 { door.pass() }
        let end = Self.sleepUntilTold(sleep)
        return { ends.withLock { $0[id] = end } }
      }
    }
    pool.cancel(1)
    #expect(pool.count == 1)
    pool.drain()
    #expect(throws: BlockingPool.Refusal.stopped) { try pool.begin(3) { _ in {} } }
    door.open()
    pool.stop()
    #expect(ends.withLock(\.self) == [1: .canceled, 2: .stopped])
  }

  @Test func aFullPoolSaysSo() throws {
    let pool = SleeperPool(named: "test", threadsMax: 1)
    try pool.begin(1) { sleep in
      _ = Self.sleepUntilTold(sleep)
      return {}
    }
    #expect(throws: BlockingPool.Refusal.full) { try pool.begin(2) { _ in {} } }
    pool.stop()
  }
}

final class Flag: Sendable {
  private let flag = Atomic(false)
  var isSet: Bool { flag.load(ordering: .sequentiallyConsistent) }
  func set() { flag.store(true, ordering: .sequentiallyConsistent) }
}

final class Counter: Sendable {
  private let number = Atomic(0)
  var value: Int { number.load(ordering: .sequentiallyConsistent) }
  @discardableResult
  func add(_ count: Int) -> Int { number.add(count, ordering: .sequentiallyConsistent).newValue }
  func raise(to count: Int) { number.max(count, ordering: .sequentiallyConsistent) }
}
