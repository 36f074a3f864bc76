import LeaseholdTestKit
import Testing

@testable import Leasehold

@Suite struct WaitQueueTests {
  private let lock = Lock(
    key: Scene.key("a"), cell: 0, place: .own(Bank(id: BankID(set: 1, key: 1)), place: 0, isCounting: false),
    capacity: nil,
    textCell: .max, lastUse: 0)

  private func waiter(_ id: WaiterID) -> Waiter {
    Waiter(
      id: id, request: Scene.request("a"), share: Share(.exclusive, units: 1), lock: lock, client: RecordingClient(),
      now: MonotonicInstant(nanoseconds: 0))
  }

  private func order(_ queue: WaitQueue) -> [WaiterID] { queue.map(\.id) }

  @Test func waitersStandInTheOrderTheyCame() {
    var queue = WaitQueue()
    #expect(queue.isEmpty && queue.first == nil)
    let waiters = (1...3).map { waiter($0) }
    for waiter in waiters { queue.append(waiter) }
    #expect(order(queue) == [1, 2, 3] && queue.count == 3 && queue.first === waiters[0])
  }

  @Test(arguments: 0..<4) func aWaiterLeavesFromAnywhere(_ position: Int) {
    var queue = WaitQueue()
    let waiters = (0..<4).map { waiter(WaiterID($0)) }
    for waiter in waiters { queue.append(waiter) }
    queue.remove(waiters[position])
    let rest = (0..<4).filter { $0 != position }.map { WaiterID($0) }
    #expect(order(queue) == rest && queue.count == 3)
    queue.append(waiters[position])
    #expect(order(queue) == rest + [WaiterID(position)])
    for waiter in waiters { queue.remove(waiter) }
    #expect(queue.isEmpty && queue.count == 0)
  }

  @Test(arguments: 0..<3) func aRetryGoesOnInTheSamePlace(_ position: Int) {
    var queue = WaitQueue()
    let waiters = (0..<3).map { waiter(WaiterID($0)) }
    for waiter in waiters { queue.append(waiter) }
    waiters[position].goOn(
      as: 9, for: Scene.request("a"), client: RecordingClient(), now: MonotonicInstant(nanoseconds: 5))
    var expected: [WaiterID] = [0, 1, 2]
    expected[position] = 9
    #expect(order(queue) == expected && waiters[position].since.nanoseconds == 5)
  }
}
