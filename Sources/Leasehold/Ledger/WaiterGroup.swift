/// A request for several locks that waits: it has a place in the queue of each, and holds nothing.
///
/// It gets all of its locks at once, when it is first in every queue and all are free. Because it takes its places in
/// one step, of any two such requests the same is before the other in every queue they share, so they never wait for
/// each other; and no later request passes it, so small requests do not starve a large one.
final class WaiterGroup {
  /// One for each lock; the first stands for the request, with its client and its deadline.
  let seats: [Waiter]
  /// The wants, in the order of the request.
  let wants: [AcquireRequest]
  let fingerprint: UInt64
  /// The lock that was not free in the kernel when all was tried last: what a thread watches, if one does.
  var blockedOn: Lock?

  init(seats: [Waiter], wants: [AcquireRequest], fingerprint: UInt64) {
    self.seats = seats
    self.wants = wants
    self.fingerprint = fingerprint
    for seat in seats { seat.group = self }
  }
}
