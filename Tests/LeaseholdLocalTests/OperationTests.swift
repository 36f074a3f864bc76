import Glibc
import HostTestKit
import LeaseholdHost
import Synchronization
import SysV
import SystemPackage
import Testing

@testable import Leasehold
@testable import LeaseholdLocal

/// Raw operations: at once, waiting, called off.
@Suite struct OperationTests {
  /// Keeps what it hears.
  private final class Listener: OperationClient {
    private let heard = Mutex<[String]>([])
    var all: [String] { heard.withLock { $0 } }
    func performed(_ result: OperationResult) { heard.withLock { $0.append("done") } }
    func granted(_ lease: LeaseSnapshot) { heard.withLock { $0.append("lease \(lease.id.text)") } }
    func refused(_ error: LeaseholdError) { heard.withLock { $0.append(error.code.rawValue) } }
  }

  private final class Place {
    let scene: Scene
    let service: LocalLockService
    let set: SemaphoreSet

    init(_ values: [UInt16], _ change: (Scene) -> Void = { _ in }) throws {
      scene = Scene()
      change(scene)
      service = try scene.start()
      set = try SemaphoreSet.create(count: values.count)
      try set.setValues(values)
    }

    deinit { try? set.remove() }

    func operate(
      _ steps: [SemaphoreOperation], wait: TimeSpan = .zero, _ client: (any OperationClient)? = nil
    ) throws(LeaseholdError) -> WaiterID? {
      let outcome = try ask(steps, wait: wait, client)
      return if case .waiting(let waiter) = outcome { waiter } else { nil }
    }

    func ask(
      _ steps: [SemaphoreOperation], wait: TimeSpan = .zero, _ client: (any OperationClient)? = nil
    ) throws(LeaseholdError) -> OperationOutcome {
      var request = OperationRequest(
        address: .id(set.id), steps: steps, wait: wait, caller: LocalLockService.caller)
      request.ttl = .seconds(30)
      return try service.operate(request, client: client, at: HostClock.now())
    }

    func code(_ steps: [SemaphoreOperation]) -> String? {
      do throws(LeaseholdError) {
        _ = try operate(steps)
        return nil
      } catch {
        if error.contention != nil { return "\(error.code.rawValue) EAGAIN" }
        guard case .text(let errno)? = error.facts.first(where: { $0.name == "errno" })?.value else { return "none" }
        return "\(error.code.rawValue) \(errno)"
      }
    }
  }

  private func step(_ semaphore: UInt16, _ delta: Int16, nowait: Bool = false, undo: Bool = false) -> SemaphoreOperation
  {
    var flags: SemaphoreOperation.Flags = nowait ? .nowait : []
    if undo { flags.insert(.undo) }
    return SemaphoreOperation(semaphore: semaphore, delta: delta, flags: flags)
  }

  @Test func aListIsDoneInOrderAndAsOneStepOrNotAtAll() throws {
    let place = try Place([0, 3])
    #expect(try place.operate([step(0, 2), step(0, -2), step(1, -1), step(0, 0)]) == nil)
    #expect(try place.set.values() == [0, 2])
    #expect(place.code([step(1, -1), step(0, -1)]) == "locked EAGAIN")
    #expect(place.code([step(1, -1), step(1, 0)]) == "locked EAGAIN")
    #expect(place.code([step(1, -1), step(2, 1)]) == "out-of-range EFBIG")
    #expect(place.code([step(0, 1), step(1, 32_767)]) == "kernel-limit ERANGE")
    let operationsMax = try SemaphoreLimits.current().operationsPerCall
    #expect(place.code(Array(repeating: step(0, 0), count: operationsMax + 1)) == "out-of-range E2BIG")
    #expect(try place.set.values() == [0, 2])
    #expect(place.code(Array(repeating: step(0, 0), count: operationsMax)) == nil)
  }

  @Test func theEndOfTheLeaseTakesBackWhatHasUndo() throws {
    let place = try Place([5, 32_767])
    let steps = [step(0, -2, undo: true), step(0, -1), step(1, -32_767, undo: true)]
    guard case .granted(let lease) = try place.ask(steps) else { Issue.record("no lease"); return }
    #expect(try place.set.values() == [2, 0] && lease.adjusts == [0, 1])
    try place.set.operate([.add(30_000, to: 1)])
    _ = try place.service.release(lease.id, at: HostClock.now())
    #expect(try place.set.values() == [4, 32_767])
    #expect(place.code((0...64).map { step($0, 1, undo: true) }) == "out-of-range E2BIG")
  }

  @Test func aLongListDropsItsUndoWithoutChangingAnything() throws {
    let operationsMax = min(500, try SemaphoreLimits.current().operationsPerCall)
    let place = try Place([UInt16](repeating: 3, count: 64))
    // Seven rounds with undo, up and down, which leave one more; then one without.
    var steps: [SemaphoreOperation] = []
    for round in 0..<7 {
      for number in 0..<64 as Range<UInt16> { steps.append(step(number, round % 2 == 0 ? 1 : -1, undo: true)) }
    }
    for number in 0..<UInt16(operationsMax - steps.count) { steps.append(step(number, 1)) }
    guard case .granted(let lease) = try place.ask(steps) else { Issue.record("no lease"); return }
    let plain = operationsMax - 448
    #expect(try place.set.values() == (0..<64).map { $0 < plain ? 5 : 4 })
    _ = try place.service.release(lease.id, at: HostClock.now())
    #expect(try place.set.values() == (0..<64).map { $0 < plain ? 4 : 3 })
  }

  @Test func aWaitWithUndoEndsWithALease() throws {
    let place = try Place([0])
    let listener = Listener()
    #expect(try place.operate([step(0, -1, undo: true)], wait: .seconds(60), listener) != nil)
    try eventually { try place.set.waiterCount(of: 0) == 1 }
    try place.set.operate([.add(1, to: 0)])
    try eventually { listener.all.first?.hasPrefix("lease ") == true }
    let id = try #require(LeaseID(hexadecimal: listener.all[0].dropFirst(6).utf8))
    #expect(try place.set.value(of: 0) == 0)
    _ = try place.service.release(id, at: HostClock.now())
    #expect(try place.set.value(of: 0) == 1)
  }

  @Test func aWaitEndsWithWhatItWaitedFor() throws {
    let place = try Place([0, 1])
    let (grows, zero) = (Listener(), Listener())
    #expect(try place.operate([step(0, -1)], wait: .seconds(60), grows) != nil)
    #expect(try place.operate([step(1, 0)], wait: .seconds(60), zero) != nil)
    try eventually { try place.set.waiterCount(of: 0) == 1 && place.set.zeroWaiterCount(of: 1) == 1 }
    #expect(place.service.status().ledger?.operationWaiters == 2 && grows.all.isEmpty && zero.all.isEmpty)
    try place.set.operate([.add(1, to: 0), .subtract(1, from: 1)])
    try eventually { grows.all == ["done"] && zero.all == ["done"] }
    try eventually { place.service.status().ledger?.operationWaiters == 0 }
    #expect(try place.set.values() == [0, 0])
  }

  @Test func whatCanBeDoneAtOnceDoesNotWait() throws {
    let place = try Place([1])
    let listener = Listener()
    #expect(try place.operate([step(0, -1)], wait: .seconds(60), listener) == nil)
    #expect(listener.all.isEmpty && place.service.status().ledger?.operationWaiters == 0)
  }

  @Test func theFirstOperationThatCannotGoDecidesWhetherToWait() throws {
    let place = try Place([1, 0])
    let (refused, waits) = (Listener(), Listener())
    _ = try place.operate([step(0, -1), step(1, -1, nowait: true)], wait: .seconds(60), refused)
    try eventually { refused.all == ["locked"] }
    _ = try place.operate([step(0, -1, nowait: true), step(1, -1)], wait: .seconds(60), waits)
    try eventually { try place.set.waiterCount(of: 1) == 1 }
    #expect(try place.set.waiterCount(of: 0) == 0 && place.set.values() == [1, 0])
    // Meanwhile the one with nowait cannot go any more: the kernel ends the wait.
    try place.set.operate([.subtract(1, from: 0)])
    try eventually { waits.all == ["locked"] }
  }

  @Test func aWaitEndsWithItsTime() throws {
    let place = try Place([0])
    let listener = Listener()
    let begun = HostClock.now()
    _ = try place.operate([step(0, -1)], wait: .milliseconds(50), listener)
    try eventually { listener.all == ["wait-timeout"] }
    #expect((HostClock.now() - begun).milliseconds >= 50)
  }

  @Test func aWaitThatIsCalledOffLeavesTheKernelAndSaysNothing() throws {
    let place = try Place([0])
    let listener = Listener()
    for _ in 0..<50 {
      // Called off at once, so that the signal now and then comes before the system call.
      let waiter = try #require(try place.operate([step(0, -1)], wait: .seconds(60), listener))
      place.service.cancelOperation(waiter)
      place.service.cancelOperation(waiter)
    }
    try eventually { place.service.status().ledger?.operationWaiters == 0 }
    #expect(try place.set.waiterCount(of: 0) == 0 && listener.all.isEmpty)
    try place.set.operate([.add(1, to: 0)])
    #expect(try place.set.values() == [1])
  }

  @Test func aRemovedSetEndsTheWait() throws {
    let place = try Place([0])
    let listener = Listener()
    _ = try place.operate([step(0, -1)], wait: .seconds(60), listener)
    try eventually { try place.set.waiterCount(of: 0) == 1 }
    let inUse = #expect(throws: LeaseholdError.self) {
      _ = try place.service.removeSemaphoreSet(
        .id(place.set.id), force: false, caller: LocalLockService.caller, at: HostClock.now())
    }
    #expect(inUse?.code == .inUse)
    _ = try place.service.removeSemaphoreSet(
      .id(place.set.id), force: true, caller: LocalLockService.caller, at: HostClock.now())
    try eventually { listener.all == ["set-removed"] }
    #expect(place.code([step(0, 1)]) == "no-such-set EINVAL")
  }

  @Test func moreThanTheMaximumAreSentAway() throws {
    let place = try Place([0]) { $0.options.limits.operationWaiters = 2 }
    let listener = Listener()
    for _ in 0..<2 { _ = try place.operate([step(0, -1)], wait: .seconds(60), listener) }
    let error = #expect(throws: LeaseholdError.self) {
      _ = try place.operate([step(0, -1)], wait: .seconds(60), listener)
    }
    #expect(error?.code == .tooManyWaiters)
    try eventually { try place.set.waiterCount(of: 0) == 2 }
    try place.set.operate([.add(1, to: 0)])
    try eventually { listener.all == ["done"] && place.service.status().ledger?.operationWaiters == 1 }
    _ = try place.operate([step(0, -1)], wait: .seconds(60), listener)
  }

  @Test func aServiceThatStopsSendsEverybodyAway() throws {
    let place = try Place([0])
    let listener = Listener()
    for _ in 0..<8 { _ = try place.operate([step(0, -1)], wait: .seconds(60), listener) }
    place.scene.stop(place.service)
    #expect(listener.all == Array(repeating: "draining", count: 8))
    let error = #expect(throws: LeaseholdError.self) {
      _ = try place.operate([step(0, -1)], wait: .seconds(60), listener)
    }
    #expect(error?.code == .draining)
    #expect(try place.set.waiterCount(of: 0) == 0)
  }
}
