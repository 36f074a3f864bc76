public import Leasehold

extension SimulatedLockService {
  /// The events from a number on.
  public func events(from number: UInt64, limit: Int) -> EventBatch {
    daemon.ledger.events(from: number, limit: limit)
  }
}
