import Glibc
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
      _ steps: [SemaphoreStep], wait: TimeSpan = .zero, _ client: (any OperationClient)? = nil
    ) throws(LeaseholdError) -> WaiterID? {
      let outcome = try service.operate(
        OperationRequest(address: .id(set.id), steps: steps, wait: wait, caller: LocalLockService.caller),
        client: client, at: HostClock.now())
      return if case .waiting(let waiter) = outcome { waiter } else { nil }
    }

    func code(_ steps: [SemaphoreStep]) -> String? {
      do throws(LeaseholdError) {
        _ = try operate(steps)
        return nil
      } catch {
        guard case .text(let errno)? = error.facts.first(where: { $0.name == "errno" })?.value else { return "none" }
        return "\(error.code.rawValue) \(errno)"
      }
    }
  }

  private func step(_ semaphore: UInt16, _ delta: Int16, nowait: Bool = false) -> SemaphoreStep {
    SemaphoreStep(semaphore: semaphore, delta: delta, refusesToWait: nowait)
  }

  @Test func aListIsDoneInOrderAndAsOneStepOrNotAtAll() throws {
    let place = try Place([0, 3])
    #expect(try place.operate([step(0, 2), step(0, -2), step(1, -1), step(0, 0)]) == nil)
    #expect(try place.set.values() == [0, 2])
    #expect(place.code([step(1, -1), step(0, -1)]) == "locked EAGAIN")
    #expect(place.code([step(1, -1), step(1, 0)]) == "locked EAGAIN")
    #expect(place.code([step(1, -1), step(2, 1)]) == "out-of-range EFBIG")
    #expect(place.code([step(0, 1), step(1, 32_767)]) == "kernel-limit ERANGE")
    let most = try SemaphoreLimits.current().operationsPerCall
    #expect(place.code(Array(repeating: step(0, 0), count: most + 1)) == "out-of-range E2BIG")
    #expect(try place.set.values() == [0, 2])
    #expect(place.code(Array(repeating: step(0, 0), count: most)) == nil)
  }

  @Test func aWaitEndsWithWhatItWaitedFor() throws {
    let place = try Place([0, 1])
    let (grows, zero) = (Listener(), Listener())
    #expect(try place.operate([step(0, -1)], wait: .seconds(60), grows) != nil)
    #expect(try place.operate([step(1, 0)], wait: .seconds(60), zero) != nil)
    try eventually { try place.set.waiterCount(of: 0) == 1 && place.set.zeroWaiterCount(of: 1) == 1 }
    #expect(place.service.status().operationWaiters == 2 && grows.all.isEmpty && zero.all.isEmpty)
    try place.set.operate([.add(1, to: 0), .subtract(1, from: 1)])
    try eventually { grows.all == ["done"] && zero.all == ["done"] }
    try eventually { place.service.status().operationWaiters == 0 }
    #expect(try place.set.values() == [0, 0])
  }

  @Test func whatCanBeDoneAtOnceDoesNotWait() throws {
    let place = try Place([1])
    let listener = Listener()
    #expect(try place.operate([step(0, -1)], wait: .seconds(60), listener) == nil)
    #expect(listener.all.isEmpty && place.service.status().operationWaiters == 0)
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
    try eventually { place.service.status().operationWaiters == 0 }
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
    try eventually { listener.all == ["done"] && place.service.status().operationWaiters == 1 }
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
