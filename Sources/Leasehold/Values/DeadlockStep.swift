/// One waiter of a circle: what it waits for, and what it keeps that the one before it waits for.
public struct DeadlockStep: Sendable {
  /// Free text of the waiter.
  public var owner: String?
  /// The lock it waits for; `nil` where the caller may not know it.
  public var waitsFor: LockKey?
  /// The mode in which it wants it.
  public var mode: LockMode
  /// The lease that is in the way of the one before it; `nil` where it only stands before it in a queue, or the caller
  /// may not know it.
  public var ref: String?
  /// The lock of that lease.
  public var holds: LockKey?
  /// True when it is the request that was refused.
  public var isAsking: Bool

  /// A step of a circle.
  public init(owner: String?, waitsFor: LockKey?, mode: LockMode, ref: String?, holds: LockKey?, isAsking: Bool) {
    (self.owner, self.waitsFor, self.mode) = (owner, waitsFor, mode)
    (self.ref, self.holds, self.isAsking) = (ref, holds, isAsking)
  }
}
