import SysVTypes

/// One semaphore that counts free slots: IPC::Semaphore::Concurrency's, and any other program's.
///
/// A set that Leasehold made itself has a second semaphore for each, which counts what is out on leases. In a set that
/// another program made there is no room for that: a slot is taken with SEM_UNDO, recorded, and made permanent by an
/// operation that changes no value. A `kill -9` of the daemon in between, about a microsecond, leaves one slot of which
/// nobody can know whether it was given back; it is kept and shown as suspect.
public struct CounterDialect: LockDialect {
  /// Counts free slots.
  public let semaphore: Int
  /// Counts what is out on leases, in sets of our own.
  public let ledger: Int?

  /// The layout of the trailer of sets that Leasehold makes: beyond the slots and their ledgers.
  public static let layoutVersion: UInt16 = 2
  /// Semaphores of the trailer: signature, layout version, instance.
  public static let trailerSemaphores = 3
  /// Semaphores of one set: SEMMSL as the kernel comes, semctl(2).
  public static let perSetMax = 32_000

  /// Takes slots.
  @inline(__always)
  public func take(_ share: Share) -> OpList {
    guard let ledger else { return OpList(.addUndone(-share.units, to: semaphore)) }
    return OpList(.add(-share.units, to: semaphore), then: .add(share.units, to: ledger))
  }

  /// Drops the undo of a take and changes no value.
  public func permanentTake(_ share: Share) -> OpList {
    OpList(.addUndone(share.units, to: semaphore), then: .add(-share.units, to: semaphore))
  }

  /// Gives slots back.
  @inline(__always)
  public func giveBack(_ share: Share) -> OpList {
    guard let ledger else { return OpList(.add(share.units, to: semaphore)) }
    return OpList(.add(share.units, to: semaphore), then: .add(-share.units, to: ledger))
  }

  /// Turns waited slots into slots of the ledger.
  public func permanentWait(_ share: Share) -> OpList {
    guard let ledger else { return permanentTake(share) }
    return OpList(
      .addUndone(share.units, to: semaphore), .add(-share.units, to: semaphore), .add(share.units, to: ledger))
  }

  /// All slots but the one that a reader has.
  public func upgrade(capacity: Int?) -> Share? {
    capacity.map { Share(.exclusive, units: $0 - 1, for: .upgrade) }
  }

  /// Gives all slots back but one.
  public func downgrade(capacity: Int?) -> OpList {
    capacity.map { giveBack(Share(.exclusive, units: $0 - 1)) } ?? OpList()
  }

  /// The ledger counts, where there is one.
  public var counters: [LeaseCounter] { ledger.map { [LeaseCounter(semaphore: $0)] } ?? [] }

  /// Takes slots out of the ledger.
  public func removeFromCount(_ share: Share) -> OpList {
    ledger.map { OpList(.add(-share.units, to: $0)) } ?? OpList()
  }
}
