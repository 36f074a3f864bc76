/// The waiters: requests by their numbers, in the lines of their locks and in the order of their deadlines; and the
/// threads that sleep in the kernel for the first in a line.
///
/// A request stands in one line for each of its locks, and has one deadline. Only ``enter(_:first:)`` and
/// ``supersede(_:by:client:now:)`` put it there, and only ``leave(_:)`` takes it out.
struct Queues: ~Copyable {
  let waiting: any KernelWaiting
  private var waiters: [WaiterID: Waiter] = [:]
  private(set) var deadlines = DeadlineQueue<Waiter>()
  private var lastWaiter: WaiterID = 0
  private var lastWait = 0
  /// The waiters that keep a lease meanwhile, by the lease's fence.
  private var keepers: [Int64: [Waiter]] = [:]
  /// Locks whose line moved on and was not looked at yet.
  private var unserved: [Lock] = []
  private var polled: [Lock] = []

  init(_ waiting: any KernelWaiting) { self.waiting = waiting }

  // MARK: Requests

  var count: Int { waiters.count }

  var all: [Waiter] { waiters.values.sorted { $0.id < $1.id } }

  subscript(id: WaiterID) -> Waiter? { waiters[id] }

  /// Returns true when a request has not left.
  func has(_ waiter: Waiter) -> Bool { waiters[waiter.lead.id] === waiter.lead }

  mutating func nextID() -> WaiterID {
    lastWaiter += 1
    return lastWaiter
  }

  /// Lets a request wait in the lines of its locks: behind all others, or before them.
  mutating func enter(_ seats: [Waiter], first: Bool = false) {
    for seat in seats {
      if first { seat.lock?.line.queue.prepend(seat) } else { seat.lock?.line.queue.append(seat) }
    }
    count(seats[0])
  }

  /// Takes a request out of everything; of one for several locks others may be first now.
  mutating func leave(_ waiter: Waiter) {
    let lead = waiter.lead
    for seat in waiter.seats {
      seat.lock?.line.queue.remove(seat)
      if let lock = seat.lock, seat.group != nil { unserved.append(lock) }
      (seat.lock, seat.group) = (nil, nil)
    }
    lead.converting?.upgrade = nil
    lead.converting = nil
    removeFromCount(lead)
  }

  /// Lets a retry go on in the places of its request.
  mutating func supersede(
    _ waiter: Waiter, by request: AcquireRequest, client: any LeaseClient, now: MonotonicInstant
  ) {
    removeFromCount(waiter)
    for seat in waiter.seats {
      var asked = seat === waiter ? request : seat.request
      (asked.wait, asked.caller) = (request.wait, request.caller)
      seat.goOn(as: nextID(), for: asked, client: client, now: now)
    }
    count(waiter)
  }

  private mutating func count(_ lead: Waiter) {
    precondition(waiters.updateValue(lead, forKey: lead.id) == nil, "a request waits once")
    deadlines.insert(lead)
    lead.caller.account?.add(1, .waiters)
    precondition(deadlines.count == waiters.count, "each request has one deadline")
  }

  private mutating func removeFromCount(_ lead: Waiter) {
    precondition(waiters.removeValue(forKey: lead.id) === lead, "a request leaves once")
    deadlines.remove(lead)
    lead.caller.account?.add(-1, .waiters)
    for lease in lead.holding {
      keepers[lease.fence]?.removeAll { $0 === lead }
      if keepers[lease.fence]?.isEmpty == true { keepers[lease.fence] = nil }
    }
    lead.holding = []
    precondition(deadlines.count == waiters.count, "each request has one deadline")
  }

  /// Moves a waiter to the line of another lock.
  func move(_ waiter: Waiter, to lock: Lock) {
    waiter.lock?.line.queue.remove(waiter)
    waiter.lock = lock
    lock.line.queue.append(waiter)
  }

  /// Keeps the places of a request whose connection broke until a time in nanoseconds, or its own deadline.
  mutating func detach(_ waiter: Waiter, until due: Int64) {
    for seat in waiter.seats { seat.client = nil }
    waiter.due = min(waiter.due, due)
    deadlines.moved(waiter)
  }

  /// Takes a request that is due out of the deadlines; it is to leave now.
  mutating func popDue(at now: Int64) -> Waiter? { deadlines.popDue(at: now) }

  // MARK: What waiters keep

  /// Notes that a waiter keeps a lease while it waits.
  mutating func note(_ waiter: Waiter, keeping lease: Lease) {
    waiter.holding.append(lease)
    keepers[lease.fence, default: []].append(waiter)
  }

  func keepers(of lease: Lease) -> [Waiter] { keepers[lease.whole.fence] ?? [] }

  // MARK: Lines to look at

  /// Notes that a waiter in a lock's line may be served.
  mutating func noteUnserved(_ lock: Lock) { if !lock.queue.isEmpty { unserved.append(lock) } }

  mutating func popUnserved() -> Lock? { unserved.popLast() }

  /// True when some line must be looked at every few milliseconds.
  var wantsPolling: Bool { !polled.isEmpty }

  /// Has a line looked at every few milliseconds, because no thread in the kernel does.
  mutating func poll(_ lock: Lock) {
    guard !lock.line.isPolled else { return }
    lock.line.isPolled = true
    polled.append(lock)
  }

  mutating func takePolled() -> [Lock] {
    defer { polled = [] }
    for lock in polled { lock.line.isPolled = false }
    return polled
  }

  // MARK: Threads in the kernel

  /// Has threads sleep for these shares, in order, and for no others; answers how many were asked for anew.
  mutating func sleep(on lock: Lock, for wanted: [Share]) -> UInt64 {
    var kept = 0
    while kept < min(wanted.count, lock.waits.count), wanted[kept] == lock.waits[kept].share { kept += 1 }
    while lock.waits.count > kept { waiting.cancel(lock.line.waits.removeLast().number) }
    var asked: UInt64 = 0
    for share in wanted[kept...] {
      (lastWait, asked) = (lastWait + 1, asked + 1)
      let wait = KernelWait(
        number: lastWait, lock: lock.cell, set: lock.set.set, semaphore: lock.place.semaphore, share: share,
        steps: share.purpose == .probe
          ? WaitSteps(wait: lock.place.dialect.probe(share, waits: true), drop: OpList())
          : lock.place.dialect.wait(for: share))
      guard waiting.begin(wait) else {
        poll(lock)
        break
      }
      lock.line.waits.append((wait.number, share))
    }
    return asked
  }

  func woke(_ number: Int, on lock: Lock) { lock.line.waits.removeAll { $0.number == number } }
}

extension Lock {
  /// The queues' own words of a lock: its waiters.
  struct Line {
    fileprivate(set) var queue = WaitQueue()
    /// The waits of threads in the kernel on behalf of the queue, in the order they began.
    fileprivate(set) var waits: [(number: Int, share: Share)] = []
    /// True when the queue is looked at every few milliseconds, because every waiting thread is busy.
    fileprivate(set) var isPolled = false
  }
}
