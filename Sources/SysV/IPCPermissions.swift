import CSysV
public import SystemPackage

/// Who owns a set or segment, who made it, and who may do what with it.
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
  public var mode: FilePermissions

  /// Describes an object, for a test or a simulation of the kernel.
  public init(
    key: IPCKey, owner: UInt32, group: UInt32, creator: UInt32, creatorGroup: UInt32, mode: FilePermissions
  ) {
    self.key = key
    self.owner = owner
    self.group = group
    self.creator = creator
    self.creatorGroup = creatorGroup
    self.mode = mode
  }
}

extension IPCPermissions {
  static let modeBits: mode_t = 0o777

  init(_ permissions: ipc_perm) {
    self.init(
      key: IPCKey(rawValue: permissions.__key), owner: permissions.uid, group: permissions.gid,
      creator: permissions.cuid, creatorGroup: permissions.cgid,
      mode: FilePermissions(rawValue: permissions.mode & Self.modeBits))
  }

  /// The three fields that IPC_SET reads.
  func fill(_ permissions: inout ipc_perm) {
    permissions.uid = owner
    permissions.gid = group
    permissions.mode = mode.rawValue & Self.modeBits
  }
}
