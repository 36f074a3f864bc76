/// What somebody wants to do with a set, as the kernel sorts it (ipcperms in the Linux sources).
public enum SemaphoreAccess: Sendable {
  /// Look at it, or wait for zero: read permission.
  case read
  /// Change values: write permission.
  case alter
  /// Change owner and mode, or remove it: only its owner and its creator.
  case control
  /// Open it with semget(2): every permission that the nine bits ask for, for whichever class.
  case open(mode: UInt16)
}

extension SemaphoreSetInfo {
  /// Whether the kernel would let a peer do this by itself, so that nobody gets over HTTP what semop(2) refuses.
  ///
  /// Only a Unix socket tells who calls (SO_PEERCRED and SO_PEERGROUPS); others have the rights of the
  /// service. Root may do everything.
  public func lets(_ peer: Peer, _ access: SemaphoreAccess, groups: [UInt32] = []) -> Bool {
    Self.lets(peer, access, owner: (uid, creatorUID), group: (gid, creatorGID), mode: mode, groups: groups)
  }

  /// The same for a set of which no more is known than owner and creator, their groups, and the nine bits.
  public static func lets(
    _ peer: Peer, _ access: SemaphoreAccess, owner: (UInt32, UInt32), group owners: (UInt32, UInt32), mode: UInt16,
    groups: [UInt32] = []
  ) -> Bool {
    guard case .local(_, let user, let group) = peer, user != 0 else { return true }
    let isOwner = user == owner.0 || user == owner.1
    let isMember =
      group == owners.0 || group == owners.1 || groups.contains { $0 == owners.0 || $0 == owners.1 }
    let shift: UInt16 = isOwner ? 6 : isMember ? 3 : 0
    let granted = mode >> shift & 7
    switch access {
    case .read: return granted & 4 != 0
    case .alter: return granted & 2 != 0
    case .control: return isOwner
    case .open(let asked): return (asked >> 6 | asked >> 3 | asked) & 7 & ~granted == 0
    }
  }
}
