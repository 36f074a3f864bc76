/// A request that waits in the queue of a lock.
final class Waiter: Deadlined {
  private(set) var id: WaiterID
  private(set) var request: AcquireRequest
  /// The share that it waits for; its slots are found anew when the names of the lock change.
  var share: Share
  private(set) var since: MonotonicInstant
  /// When it gives up, in nanoseconds.
  var due: Int64
  var queuePosition = -1
  /// The client that hears of it; none while its connection is broken and its place is kept.
  var client: (any LeaseClient)?
  var caller: Caller { request.caller }
  /// The lock it waits for; none once it left.
  var lock: Lock?
  /// The lease that becomes the only one, for a waiter that converts it.
  var converting: Lease?
  /// All places of a request for several locks; this is one of them.
  var group: WaiterGroup?
  /// Leases that the waiting caller keeps while it waits.
  var holding: [Lease] = []
  fileprivate(set) var next: Waiter?
  fileprivate(set) unowned(unsafe) var previous: Waiter?

  init(
    id: WaiterID, request: AcquireRequest, share: Share, lock: Lock, client: any LeaseClient, now: MonotonicInstant
  ) {
    self.id = id
    self.request = request
    self.share = share
    self.lock = lock
    self.client = client
    since = now
    due = (now + request.wait).nanoseconds
  }

  /// Keeps its place for a retry: under another number, for another client, and from now on.
  func goOn(as id: WaiterID, for request: AcquireRequest, client: any LeaseClient, now: MonotonicInstant) {
    (self.id, self.request, self.client, since) = (id, request, client, now)
    due = (now + request.wait).nanoseconds
  }
}

/// Waiters in the order they came.
///
/// A waiter leaves from anywhere in constant time.
struct WaitQueue: Sequence {
  private(set) var first: Waiter?
  private var last: Waiter?
  private(set) var count = 0

  var isEmpty: Bool { first == nil }

  /// Puts a waiter at the end.
  mutating func append(_ waiter: Waiter) { insert(waiter, behind: last) }

  /// Puts a waiter before all others.
  mutating func prepend(_ waiter: Waiter) { insert(waiter, behind: nil) }

  /// Puts a waiter behind the last; `nil` puts it before the first.
  private mutating func insert(_ waiter: Waiter, behind previous: Waiter?) {
    precondition(waiter.next == nil && waiter.previous == nil, "a waiter stands in one line")
    let next = previous == nil ? first : nil
    (waiter.previous, waiter.next) = (previous, next)
    if let previous { previous.next = waiter } else { first = waiter }
    if let next { next.previous = waiter } else { last = waiter }
    count += 1
  }

  /// Takes a waiter out, wherever it stands.
  mutating func remove(_ waiter: Waiter) {
    precondition(count > 0, "who leaves a line stood in it")
    let (previous, next) = (waiter.previous, waiter.next)
    if let previous { previous.next = next } else { first = next }
    if let next { next.previous = previous } else { last = previous }
    waiter.next = nil
    waiter.previous = nil
    count -= 1
  }

  func makeIterator() -> UnfoldSequence<Waiter, Waiter?> {
    sequence(state: first) { place in
      defer { place = place?.next }
      return place
    }
  }
}
