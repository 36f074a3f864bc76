internal import EtcdGateway
public import Leasehold
internal import LeaseholdHost
internal import LeaseholdQueue
import Synchronization

// Locks that get another limit.
extension EtcdLockService {
  /// Gives a counting lock another limit, in use or not.
  ///
  /// A smaller one comes into force when what is in use fits; until then nobody gets what comes back.
  ///
  /// - Throws: `kind-mismatch`, `engine-unavailable`, `outcome-unknown`; `not-supported` for names, 0 and pinned ones.
  public func resize(
    _ request: ResizeRequest, for caller: Caller, at now: MonotonicInstant
  ) throws(LeaseholdError) -> OpenedLock {
    if request.names != nil {
      throw .notSupported("Slots on etcd have no names.", instead: "limit=N for slots that are alike")
    }
    if request.isPinned {
      throw .notSupported(
        "On etcd each caller's limit must be the lock's, so none is pinned, and none is 0.",
        instead: "resize=true without pinned=true, and the new limit in your callers")
    }
    let (encoded, deadline) = (EtcdNames.encoded(request.key), Self.deadline())
    var wasMade: Bool?
    for _ in 0..<8 {
      let queue = try look([.queue(encoded)], before: deadline).queues[0]
      let isFree = queue.entries.isEmpty
      if case .readersWriter? = queue.kind, !isFree {
        throw .mismatch(request.key, .readersWriter, .counting(limit: request.limit))
      }
      let shown = state.withLock { $0.shown(request.key, queue, listed: 0) }
      wasMade = wasMade ?? (queue.kind == nil)
      if queue.kind == .counting(limit: request.limit), queue.blockers.isEmpty {
        return OpenedLock(lock: shown, wasMade: wasMade == true, limitApplied: true)
      }
      let isBegun = queue.blockers.contains { $0.value.shrinksTo == request.limit }
      let finish = queue.shrunk
      if isBegun, finish == nil {
        return OpenedLock(lock: shown, wasMade: false, limitApplied: false)
      }
      let name = "shrink-" + String(UInt64.random(in: .min ... .max), radix: 16)
      let transaction =
        isBegun
        ? finish
        : queue.resized(to: request.limit) ?? queue.shrinking(to: request.limit, by: name)
      if let transaction, case .done = try send(transaction, 0, before: deadline), !isBegun {
        state.withLock { $0.counters.resized += 1 }
      }
    }
    throw .busyQueue(request.key)
  }

  /// Writes the smaller capacity of locks that have become small enough, whichever server was asked for it.
  func shrink() {
    let due = state.withLock { state in state.view.shrinking.compactMap { state.view.followed($0).shrunk } }
    for transaction in due { _ = try? store.send(transaction, session: 0, before: Self.deadline()) }
  }
}
