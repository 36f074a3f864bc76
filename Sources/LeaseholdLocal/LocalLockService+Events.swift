public import Leasehold
import Synchronization

extension LocalLockService {
  /// The events from a number on.
  public func events(from number: UInt64, limit: Int) -> EventBatch {
    core.withLock { $0.ledger.events(from: number, limit: limit) }
  }
}
