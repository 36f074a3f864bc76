/// The owner, the maker and the mode of a set or segment.
///
/// The corresponding C type is `struct ipc_perm`.
public struct IPCPermissions: Hashable, Sendable {
  /// The key it was created with; ``IPCKey/private`` also for a segment that is marked for removal.
  public let key: IPCKey
  /// The user who owns it now.
  public var owner: UInt32
  /// The group that owns it now.
  public var group: UInt32
  /// The user who created it; stays.
  public let creator: UInt32
  /// The group that created it; stays.
  public let creatorGroup: UInt32
  /// The nine permission bits.
  ///
  /// Read lets others look and wait for zero, write lets them change values; execute means nothing.
  public var mode: IPCMode

  /// Describes an object, for a test or a simulation of the kernel.
  public init(
    key: IPCKey, owner: UInt32, group: UInt32, creator: UInt32, creatorGroup: UInt32, mode: IPCMode
  ) {
    self.key = key
    self.owner = owner
    self.group = group
    self.creator = creator
    self.creatorGroup = creatorGroup
    self.mode = mode
  }
}

/// The nine permission bits of a set or segment.
public struct IPCMode: OptionSet, Hashable, Sendable {
  /// The nine bits.
  public let rawValue: UInt16

  /// Takes the nine bits; others are not kept.
  public init(rawValue: UInt16) { self.rawValue = rawValue & 0o777 }

  /// The owner may look.
  public static let ownerRead = IPCMode(rawValue: 0o400)
  /// The owner may look and change.
  public static let ownerReadWrite = IPCMode(rawValue: 0o600)
  /// The group may look.
  public static let groupRead = IPCMode(rawValue: 0o040)
  /// The group may look and change.
  public static let groupReadWrite = IPCMode(rawValue: 0o060)
  /// All others may look.
  public static let otherRead = IPCMode(rawValue: 0o004)
  /// All others may change.
  public static let otherWrite = IPCMode(rawValue: 0o002)
  /// All others may look and change.
  public static let otherReadWrite = IPCMode(rawValue: 0o006)
}

/// The access to a set or a segment that a process wants, as the kernel sorts it (ipcperms in the Linux sources).
public enum IPCAccess: Sendable {
  /// Look at it, or wait for zero: read permission.
  case read
  /// Change values: write permission.
  case alter
  /// Change owner and mode, or remove it: only its owner and its creator.
  case control
  /// Open it with semget(2): every permission that the nine bits ask for, for whichever class.
  case open(mode: IPCMode)
}

extension IPCPermissions {
  /// Returns true when the kernel would let a user do this; root may do everything.
  ///
  /// - Parameter groups: All of the user's, the effective one included.
  public func lets(user: UInt32, groups: some Sequence<UInt32>, _ access: IPCAccess) -> Bool {
    guard user != 0 else { return true }
    let isOwner = user == owner || user == creator
    let shift: UInt16 = isOwner ? 6 : groups.contains { $0 == group || $0 == creatorGroup } ? 3 : 0
    let granted = mode.rawValue >> shift & 7
    switch access {
    case .read: return granted & 4 != 0
    case .alter: return granted & 2 != 0
    case .control: return isOwner
    case .open(let asked):
      return (asked.rawValue >> 6 | asked.rawValue >> 3 | asked.rawValue) & 7 & ~granted == 0
    }
  }
}
