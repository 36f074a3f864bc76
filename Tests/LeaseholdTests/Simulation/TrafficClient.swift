import Leasehold
import Synchronization

/// What clients heard, in order.
final class TrafficInbox: Sendable {
  enum Event {
    case granted(Int, LeaseSnapshot)
    case refused(Int, LeaseholdError)
    case ended(Int, EndReason)
  }

  private let events = Mutex<[Event]>([])

  func add(_ event: Event) { events.withLock { $0.append(event) } }

  func takeAll() -> [Event] {
    events.withLock { events in
      defer { events = [] }
      return events
    }
  }
}

/// A client with a number.
final class TrafficClient: LeaseClient {
  let number: Int
  private let inbox: TrafficInbox

  init(_ number: Int, _ inbox: TrafficInbox) {
    self.number = number
    self.inbox = inbox
  }

  func granted(_ lease: LeaseSnapshot) { inbox.add(.granted(number, lease)) }
  func refused(_ error: LeaseholdError) { inbox.add(.refused(number, error)) }
  func ended(_ reason: EndReason, _ note: BreakNote?, at instant: MonotonicInstant) {
    inbox.add(.ended(number, reason))
  }
}
