import LeaseholdTestKit
import SysVTypes
import Testing

@testable import Leasehold

@Suite struct OpListTests {
  @Test func operationsCarryTheirFlags() {
    #expect(SemaphoreOperation.add(-3, to: 7) == SemaphoreOperation(semaphore: 7, delta: -3, flags: .nowait))
    #expect(
      SemaphoreOperation.addUndone(3, to: 7) == SemaphoreOperation(semaphore: 7, delta: 3, flags: [.nowait, .undo]))
    #expect(SemaphoreOperation.expectZero(7) == SemaphoreOperation(semaphore: 7, delta: 0, flags: .nowait))
  }

  @Test func bothWaysToMakeAListAgree() {
    let (one, other) = (SemaphoreOperation.add(1, to: 2), SemaphoreOperation.add(-1, to: 3))
    let lists = [OpList(one, other), OpList(one, then: other)]
    for list in lists { #expect(list.all == [one, other]) }
  }
}

@Suite struct NamedDialectTests {
  private func set(_ place: Int) -> (SimulatedKernel, Int32, NamedDialect) {
    let kernel = SimulatedKernel(crash: CrashSwitch())
    let bank = try? kernel.makeBank()
    return (kernel, bank?.set ?? 0, NamedDialect(place: place))
  }

  private func values(_ kernel: SimulatedKernel, _ set: Int32, _ dialect: NamedDialect) -> [Int?] {
    [dialect.semaphore, dialect.ledger, dialect.live].map { kernel.value(set, $0) }
  }

  @Test(arguments: [0, 31, 63]) func takenUnitsMoveFromFreeToOutAndBack(_ place: Int) {
    let (kernel, set, dialect) = set(place)
    #expect(kernel.operate(set, dialect.open(capacity: 5)) == .done)
    #expect(kernel.operate(set, dialect.counter.take(Share(.exclusive, units: 3))) == .done)
    #expect(values(kernel, set, dialect) == [2, 3, 5])
    #expect(dialect.counter.counters == [LeaseCounter(semaphore: 64 + place)] && kernel.value(set, 64 + place) == 3)
    #expect(kernel.operate(set, dialect.counter.take(Share(.exclusive, units: 3))) == .wouldBlock)
    #expect(kernel.operate(set, dialect.counter.giveBack(Share(.exclusive, units: 3))) == .done)
    #expect(values(kernel, set, dialect) == [5, 0, 5])
    #expect(
      kernel.operate(set, dialect.counter.giveBack(Share(.exclusive, units: 1))) == .wouldBlock,
      "nothing is out that could be given back")
  }

  @Test func waitedUnitsBecomeUnitsOutWithoutAMomentInBetween() {
    let (kernel, set, dialect) = set(1)
    _ = kernel.operate(set, dialect.open(capacity: 5))
    _ = kernel.sleep(4, set: set, semaphore: 1, process: SimulatedKernel.daemon)
    #expect(kernel.adjustment(of: SimulatedKernel.daemon, set: set, semaphore: 1) == 4)
    #expect(kernel.operate(set, dialect.counter.permanentWait(Share(.exclusive, units: 4))) == .done)
    #expect(values(kernel, set, dialect) == [1, 4, 5])
    kernel.kill(SimulatedKernel.daemon)
    #expect(values(kernel, set, dialect) == [1, 4, 5], "the kernel has nothing to undo any more")
  }

  @Test func waitedUnitsThatNobodyWantsGoBack() {
    let (kernel, set, dialect) = set(1)
    _ = kernel.operate(set, dialect.open(capacity: 5))
    _ = kernel.sleep(4, set: set, semaphore: 1, process: SimulatedKernel.daemon)
    #expect(kernel.operate(set, dialect.counter.wait(for: Share(.exclusive, units: 4)).drop) == .done)
    kernel.kill(SimulatedKernel.daemon)
    #expect(values(kernel, set, dialect) == [5, 0, 5])
  }

  @Test func aPlaceIsTakenOutOfUseOnlyWhenEveryUnitIsFree() {
    let (kernel, set, dialect) = set(2)
    _ = kernel.operate(set, dialect.open(capacity: 5))
    #expect(kernel.operate(set, dialect.open(capacity: 5)) == .wouldBlock, "it is in use already")
    _ = kernel.operate(set, dialect.counter.take(Share(.exclusive, units: 1)))
    #expect(kernel.operate(set, dialect.retire(capacity: 5)) == .wouldBlock)
    _ = kernel.operate(set, dialect.counter.giveBack(Share(.exclusive, units: 1)))
    #expect(kernel.take(1, set: set, semaphore: 2, process: 100, undoes: true))
    #expect(kernel.operate(set, dialect.retire(capacity: 5)) == .wouldBlock)
    kernel.kill(100)
    #expect(kernel.operate(set, dialect.retire(capacity: 4)) == .wouldBlock, "another capacity")
    #expect(kernel.operate(set, dialect.retire(capacity: 5)) == .done)
    #expect(values(kernel, set, dialect) == [0, 0, 0])
  }

  @Test func theTrailerStandsBehindAllPlaces() {
    let last = NamedDialect(place: NamedDialect.locksPerBank - 1)
    #expect(last.live + 1 == NamedDialect.trailer)
    #expect(NamedDialect.semaphoresPerBank == NamedDialect.trailer + 3)
    #expect(NamedDialect.signature == 19528)
  }
}
