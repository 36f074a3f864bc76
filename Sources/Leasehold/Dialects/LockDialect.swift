import SysVTypes

/// The share that one holder has of a lock.
public struct Share: Hashable, Sendable {
  /// Alone or together with others; counts on readers-writer locks.
  public var mode: LockMode
  /// Units, 1...32767.
  public var units: Int
  /// The purpose of the share.
  public var purpose = Purpose.take
  /// The slots that must be among the units, a bit for each place of the lock's names; 0 for whichever are free.
  var slots: UInt64 = 0

  /// The purpose of a share.
  public enum Purpose: Hashable, Sendable {
    /// To have it.
    case take
    /// To become the only one: what a reader lacks for that.
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

/// The meaning of a lock in the kernel: turns a share taken and given back into operations on one set.
///
/// A dialect computes; it never decides who gets a lock, and the queues and the deadlines do not know which dialect
/// they serve. Where the set has room for it, each list changes the lock and the count of what is out on leases in one
/// step, so that whatever a crash leaves behind can be told from the kernel's values alone. Where it has none
/// (``counters`` is empty), a share is taken with SEM_UNDO, recorded, and made permanent by
/// ``permanentTake(_:)``.
public protocol LockDialect: Sendable {
  /// The semaphore that names the lock within its set.
  var semaphore: Int { get }
  /// The other semaphore of a lock that has two.
  var companion: Int? { get }
  /// Takes a share, or fails as a whole.
  func take(_ share: Share) -> OpList
  /// Makes a share permanent that was taken with SEM_UNDO; only where nothing counts it.
  func permanentTake(_ share: Share) -> OpList
  /// Gives a share back.
  func giveBack(_ share: Share) -> OpList
  /// The steps by which a thread waits for a share.
  func wait(for share: Share) -> WaitSteps
  /// Turns what a waiting thread got with SEM_UNDO into a share out on a lease, without a moment in between.
  func permanentWait(_ share: Share) -> OpList
  /// Takes a share out of the count of what is out on leases, and gives nothing back.
  ///
  /// Empty where the lock's own value counts.
  func removeFromCount(_ share: Share) -> OpList
  /// The semaphores that count what is out on leases; empty where there are none.
  var counters: [LeaseCounter] { get }
  /// The share that a reader takes to become the only one; `nil` where there are no readers.
  ///
  /// - Parameter capacity: All units of the lock, where they are known.
  func upgrade(capacity: Int?) -> Share?
  /// Turns the only one's share into a reader's.
  func downgrade(capacity: Int?) -> OpList
  /// Succeeds when a share could be had, and takes nothing.
  func probe(_ share: Share, waits: Bool) -> OpList
}

/// A semaphore that counts what is out on leases.
public struct LeaseCounter: Hashable, Sendable {
  /// Its number in the set.
  public let semaphore: Int
  /// Whose leases it counts; `nil` for all of the lock.
  public var mode: LockMode?
  /// The value it grows by with each unit on a lease.
  public var weight = 1

  /// The units that native programs add beside ``sharedWeight``: 1 each, in any number that fits.
  public static let sharedWeight = 1024
  /// The largest value of a semaphore: SEMVMX, semctl(2).
  public static let valueMax = 32_767
  /// The room that leases leave to native programs, which a full count would stop for good; beside more natives no
  /// lease is granted.
  ///
  /// Half a unit: with so few natives before a take or a give-back, a crash in it leaves no doubt. Beside leases that
  /// stand there may be any number.
  public static let roomForNatives = sharedWeight / 2

  /// True when native programs count themselves in it, too: then the value alone does not tell how much is whose.
  public var isShared: Bool { weight > 1 }

  /// Returns true when a value that leaves so much to natives does not cover the leases.
  ///
  /// It is below zero where a write wiped out handles that were given up afterwards; a unit's weight is not among them.
  public func isShort(leaving natives: Int) -> Bool { natives < (isShared ? -Self.roomForNatives : 0) }

  /// Returns true when it counts leases of a mode.
  public func counts(_ mode: LockMode) -> Bool { self.mode == nil || self.mode == mode }

  /// Returns true when leases may have so many units more while the value is `value`.
  public func hasRoom(for units: Int, beside value: Int) -> Bool {
    value + units * weight <= Self.valueMax - (isShared ? Self.roomForNatives : 0)
  }
}

/// The steps by which a thread waits in the kernel, and by which it leaves: every list but ``wait`` goes at once or not
/// at all.
public struct WaitSteps: Sendable {
  /// Done before the wait; waits itself where it must.
  public var enter: OpList?
  /// The wait; done with SEM_UNDO.
  public var wait: OpList
  /// Undoes ``enter`` when the wait ended without success.
  public var leave: OpList?
  /// Undoes all after success, when no waiter wants it any more.
  public var drop: OpList
}

extension LockDialect {
  /// None.
  public var companion: Int? { nil }
  /// Nothing: a write of the lock's value is one of the count.
  public func removeFromCount(_ share: Share) -> OpList { OpList() }
  /// A lock without readers has nothing to convert.
  public func upgrade(capacity: Int?) -> Share? { nil }
  /// A lock without readers has nothing to convert.
  public func downgrade(capacity: Int?) -> OpList { OpList() }
  /// Waits for the units with SEM_UNDO, as a native program does.
  public func wait(for share: Share) -> WaitSteps {
    WaitSteps(
      wait: OpList(.awaitUndone(-share.units, on: semaphore)), drop: OpList(.addUndone(share.units, to: semaphore)))
  }
  /// Takes the units and gives them back in one step.
  public func probe(_ share: Share, waits: Bool) -> OpList {
    OpList(
      SemaphoreOperation(semaphore: UInt16(semaphore), delta: Int16(-share.units), flags: waits ? [] : .nowait),
      then: .add(share.units, to: semaphore))
  }
  /// Nothing to do: the count changed with the take.
  public func permanentTake(_ share: Share) -> OpList { OpList() }
}
