import LeaseholdTestKit
import Testing

@testable import Leasehold

private final class Alarm: Deadlined {
  let number: Int
  var due: Int64
  var queuePosition = -1

  init(_ number: Int, due: Int64) {
    self.number = number
    self.due = due
  }
}

@Suite struct DeadlineQueueTests {
  @Test func whatIsDueComesOutEarliestFirst() {
    var queue = DeadlineQueue<Alarm>()
    for due in [5, 3, 9, 1, 7] { queue.insert(Alarm(0, due: Int64(due))) }
    #expect(queue.nextDue == 1 && queue.count == 5)
    var order: [Int64] = []
    while let alarm = queue.popDue(at: 7) { order.append(alarm.due) }
    #expect(order == [1, 3, 5, 7] && queue.count == 1 && !queue.isEmpty)
  }

  @Test func whatIsInNoQueueIsTakenOutOfNone() {
    var queue = DeadlineQueue<Alarm>()
    let alarm = Alarm(0, due: 1)
    queue.remove(alarm)
    queue.moved(alarm)
    queue.insert(alarm)
    queue.remove(alarm)
    queue.remove(alarm)
    #expect(queue.isEmpty && alarm.queuePosition == -1 && queue.nextDue == nil)
  }

  @Test func aDeadlineThatMovedLaterComesUpWhenItIsDue() {
    var queue = DeadlineQueue<Alarm>()
    let alarm = Alarm(0, due: 1)
    queue.insert(alarm)
    alarm.due = 10
    queue.moved(alarm)
    #expect(queue.nextDue == 1, "never later than the truth")
    #expect(queue.popDue(at: 9) == nil)
    #expect(queue.nextDue == 10)
    #expect(queue.popDue(at: 10) === alarm)
  }

  @Test func aDeadlineThatMovedEarlierComesUpEarlier() {
    var queue = DeadlineQueue<Alarm>()
    let alarms = (0..<20).map { Alarm($0, due: Int64(100 + $0)) }
    for alarm in alarms { queue.insert(alarm) }
    alarms[17].due = 5
    queue.moved(alarms[17])
    #expect(queue.nextDue == 5)
    #expect(queue.popDue(at: 50) === alarms[17])
  }

  @Test(arguments: 1...20 as ClosedRange<UInt64>) func itDoesWhatASortedListDoes(_ seed: UInt64) {
    var random = SeededRandom(seed: seed)
    var queue = DeadlineQueue<Alarm>()
    var model: [Alarm] = []
    var now: Int64 = 0
    for number in 0..<2000 {
      switch Int.random(in: 0..<10, using: &random) {
      case 0..<5:
        let alarm = Alarm(number, due: now + .random(in: 0..<1000, using: &random))
        queue.insert(alarm)
        model.append(alarm)
      case 5 where !model.isEmpty:
        let alarm = model.remove(at: .random(in: 0..<model.count, using: &random))
        queue.remove(alarm)
      case 6, 7:
        guard let alarm = model.randomElement(using: &random) else { break }
        alarm.due = now + .random(in: 0..<1000, using: &random)
        queue.moved(alarm)
      default:
        now += .random(in: 0..<60, using: &random)
        let due = model.filter { $0.due <= now }
        var popped: [Alarm] = []
        while let alarm = queue.popDue(at: now) { popped.append(alarm) }
        #expect(Set(popped.map(\.number)) == Set(due.map(\.number)))
        #expect(popped.map(\.due) == popped.map(\.due).sorted())
        model.removeAll { $0.due <= now }
      }
      #expect(queue.count == model.count)
      if let next = queue.nextDue { #expect(model.allSatisfy { $0.due >= next }) }
    }
  }
}
