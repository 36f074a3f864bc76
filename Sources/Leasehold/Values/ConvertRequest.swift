/// A holder's request to share the lock of its lease, or to be the only one.
public struct ConvertRequest: Sendable {
  /// The lease.
  public var lease: LeaseID
  /// The lock; of a lease on several, the one that is meant.
  public var lock: LockName
  /// The mode that it is to get.
  public var mode: LockMode
  /// The time to queue; zero means not at all.
  public var wait = TimeSpan.zero
  /// Other leases that the caller keeps while it waits.
  public var holding: [LeaseID] = []
  /// Where the request came from.
  public var caller: Caller

  /// A request that does not wait.
  public init(lease: LeaseID, on lock: LockName, mode: LockMode, caller: Caller) {
    self.lease = lease
    self.lock = lock
    self.mode = mode
    self.caller = caller
  }
}
