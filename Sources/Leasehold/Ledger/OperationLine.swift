import SysVTypes

/// The callers who wait for raw operations, by the numbers of their requests.
///
/// The line itself is the kernel's: each of them sleeps in semop beside native programs, and who came first is served
/// first. Here stands who they are, for lists and refusals.
struct OperationLine: ~Copyable {
  /// One that waits.
  struct Seat {
    let set: Int32
    let request: OperationRequest
    let since: MonotonicInstant
  }

  private var seats: [WaiterID: Seat] = [:]

  mutating func enter(_ id: WaiterID, _ seat: Seat) {
    precondition(seats.updateValue(seat, forKey: id) == nil, "an operation waits once")
  }

  mutating func leave(_ id: WaiterID) -> Seat? { seats.removeValue(forKey: id) }

  func count(on set: Int32) -> Int { seats.values.count { $0.set == set } }

  /// Those of a set in the order they came.
  func waiters(on set: Int32) -> [WaiterSnapshot] {
    seats.sorted { $0.key < $1.key }.map(\.value).filter { $0.set == set }.map { seat in
      var waiter = WaiterSnapshot(
        owner: seat.request.owner, mode: .exclusive, count: 1, peer: seat.request.caller.peer, since: seat.since,
        until: seat.since + seat.request.wait)
      waiter.steps = seat.request.steps
      return waiter
    }
  }
}
