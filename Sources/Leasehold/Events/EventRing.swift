/// The last events, in memory that is taken once.
///
/// Noting one is a store and two retains: nothing is allocated, nobody is woken. For one thread at a time.
final class EventRing {
  private let slots: UnsafeMutablePointer<LedgerEvent>
  private let mask: UInt64
  /// The number of events that are kept: a power of two.
  let capacity: Int
  /// Tells this life of the ledger from others.
  var epoch: UInt64 = 0
  /// The number that the next event will get; they begin at 1.
  private(set) var next: UInt64 = 1

  /// A ring for at least so many events.
  init(capacity: Int) {
    var size = 1
    while size < capacity { size *= 2 }
    self.capacity = size
    mask = UInt64(size - 1)
    slots = .allocate(capacity: size)
    slots.initialize(repeating: .none, count: size)
  }

  deinit {
    slots.deinitialize(count: capacity)
    slots.deallocate()
  }

  /// Notes an event.
  @inline(__always)
  func append(_ event: consuming LedgerEvent) {
    slots[Int(truncatingIfNeeded: next & mask)] = event
    next &+= 1
  }

  /// The number of the oldest event that is still there.
  var oldest: UInt64 { next > UInt64(capacity) ? next - UInt64(capacity) : 1 }

  /// When the last event happened; 0 before the first.
  var latest: Int64 { slots[Int(truncatingIfNeeded: (next &- 1) & mask)].at }

  /// Events from a number on.
  func events(from number: UInt64, limit: Int) -> EventBatch {
    let first = min(max(number, oldest), next)
    let count = min(UInt64(max(0, limit)), next - first)
    let events = (first..<first + count).map { slots[Int(truncatingIfNeeded: $0 & mask)] }
    return EventBatch(epoch: epoch, oldest: oldest, next: next, first: first, events: events)
  }
}
