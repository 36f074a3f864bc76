import CSysV
import SysVTypes

extension IPCPermissions {
  init(_ permissions: ipc_perm) {
    self.init(
      key: IPCKey(rawValue: permissions.__key), owner: permissions.uid, group: permissions.gid,
      creator: permissions.cuid, creatorGroup: permissions.cgid,
      mode: IPCMode(rawValue: UInt16(truncatingIfNeeded: permissions.mode)))
  }

  /// The three fields that IPC_SET reads.
  func fill(_ permissions: inout ipc_perm) {
    permissions.uid = owner
    permissions.gid = group
    permissions.mode = mode_t(mode.rawValue)
  }
}
