/// What one holder has of a lock.
public struct Share: Hashable, Sendable {
  /// Alone or together with others; counts on readers-writer locks.
  public var mode: LockMode
  /// Units, 1...32767.
  public var units: Int
  /// What is wanted with it.
  public var purpose = Purpose.take

  /// What is wanted with a share.
  public enum Purpose: Hashable, Sendable {
    /// To have it.
    case take
    /// To have it besides the reader's share that one has: what is missing to be the only one.
    case upgrade
    /// To hear when it could be had, and to take nothing.
    case probe
  }

  /// Makes a share.
  public init(_ mode: LockMode, units: Int, for purpose: Purpose = .take) {
    self.mode = mode
    self.units = units
    self.purpose = purpose
  }
}

/// What a lock means in the kernel: turns a share taken and given back into operations on one set.
///
/// A dialect computes; it never decides who gets a lock, and the queues and the deadlines do not know which dialect
/// they serve. Where the set has room for it, each list changes the lock and the count of what is out on leases in one
/// step, so that whatever a crash leaves behind can be told from the kernel's values alone. Where it has none
/// (``isExact`` is false), a share is taken with SEM_UNDO, recorded, and made permanent by ``keepTaken(_:)``.
public protocol LockDialect: Sendable {
  /// The semaphore that names the lock within its set.
  var semaphore: Int { get }
  /// The other semaphore of a lock that has two.
  var companion: Int? { get }
  /// Whether the kernel's values tell what is out on leases.
  var isExact: Bool { get }
  /// Takes a share, or fails as a whole.
  func take(_ share: Share) -> OpList
  /// Makes a share permanent that was taken with SEM_UNDO; only where not ``isExact``.
  func keepTaken(_ share: Share) -> OpList
  /// Gives a share back.
  func giveBack(_ share: Share) -> OpList
  /// How a thread waits for a share.
  func wait(for share: Share) -> WaitSteps
  /// Turns what a waiting thread got with SEM_UNDO into a share out on a lease, without a moment in between.
  func keepWaited(_ share: Share) -> OpList
  /// Takes a share out of the count of what is out on leases, and gives nothing back.
  ///
  /// Empty where the lock's own value counts.
  func uncount(_ share: Share) -> OpList
  /// The semaphore that counts what is out on leases, where that is another than the lock's.
  var counter: Int? { get }
  /// What a reader takes to become the only one; `nil` where there are no readers.
  ///
  /// - Parameter capacity: All units of the lock, where they are known.
  func upgrade(capacity: Int?) -> Share?
  /// Turns the only one's share into a reader's.
  func downgrade(capacity: Int?) -> OpList
  /// Goes when a share could be had, and takes nothing.
  func probe(_ share: Share, waits: Bool) -> OpList
  /// What is out on leases, from the values of the whole set, as shares of each mode that has any; empty where the
  /// values do not tell.
  func sharesOut(_ values: [UInt16]) -> [Share]
}

/// How a thread waits in the kernel, and how it leaves: every list but ``wait`` goes at once or not at all.
public struct WaitSteps: Sendable {
  /// Done before the wait; waits itself where it must.
  public var enter: OpList?
  /// The wait; done with SEM_UNDO.
  public var wait: OpList
  /// Undoes ``enter`` when the wait ended without success.
  public var leave: OpList?
  /// Undoes all after success, when nobody wants it any more.
  public var drop: OpList

  /// Makes the steps.
  public init(enter: OpList? = nil, wait: OpList, leave: OpList? = nil, drop: OpList) {
    self.enter = enter
    self.wait = wait
    self.leave = leave
    self.drop = drop
  }
}

extension LockDialect {
  /// None.
  public var companion: Int? { nil }
  /// None.
  public var counter: Int? { nil }
  /// Nothing: whoever writes the lock's value writes the count.
  public func uncount(_ share: Share) -> OpList { OpList() }
  /// No readers.
  public func upgrade(capacity: Int?) -> Share? { nil }
  /// No readers.
  public func downgrade(capacity: Int?) -> OpList { OpList() }
  /// Takes the units and gives them back in one step.
  public func probe(_ share: Share, waits: Bool) -> OpList {
    let take = Operation.add(-share.units, to: semaphore)
    return OpList(
      Operation(semaphore: take.semaphore, delta: take.delta, flags: waits ? 0 : take.flags),
      then: .add(share.units, to: semaphore))
  }
  /// The kernel's values tell.
  public var isExact: Bool { true }
  /// Nothing to do: the count changed with the take.
  public func keepTaken(_ share: Share) -> OpList { OpList() }
}
