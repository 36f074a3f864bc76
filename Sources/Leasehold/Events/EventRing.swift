/// The last events, in memory that is taken once.
///
/// Noting one is a store and two retains: nothing is allocated, no thread is woken. A ring costs the pages of the
/// events that there were. For one thread at a time.
package final class EventRing {
  private var slots: [LedgerEvent] = []
  private let mask: UInt64
  /// The number of events that are kept: a power of two.
  package let capacity: Int
  /// Tells this life of the ledger from others.
  package var epoch: UInt64 = 0
  /// The number that the next event will get; they begin at 1.
  package private(set) var next: UInt64 = 1

  /// A ring for at least so many events.
  package init(capacity: Int) {
    var size = 1
    while size < capacity { size *= 2 }
    self.capacity = size
    mask = UInt64(size - 1)
    slots.reserveCapacity(size)
  }

  private func place(_ number: UInt64) -> Int { Int(truncatingIfNeeded: (number &- 1) & mask) }

  /// Notes an event.
  @inline(__always)
  package func append(_ event: consuming LedgerEvent) {
    if slots.count < capacity { slots.append(event) } else { slots[place(next)] = event }
    next &+= 1
  }

  /// The number of the oldest event that is still there.
  package var oldest: UInt64 { next > UInt64(capacity) ? next - UInt64(capacity) : 1 }

  /// When the last event happened; 0 before the first.
  package var latest: Int64 { next > 1 ? slots[place(next &- 1)].at : 0 }

  /// Events from a number on.
  package func events(from number: UInt64, limit: Int) -> EventBatch {
    let first = min(max(number, oldest), next)
    let count = min(UInt64(max(0, limit)), next - first)
    let events = (first..<first + count).map { slots[place($0)] }
    return EventBatch(epoch: epoch, oldest: oldest, next: next, first: first, events: events)
  }
}
