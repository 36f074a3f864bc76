public import SysVTypes

extension IPCPermissions {
  /// Returns true when the kernel would let a peer do this by itself, so that no caller gets over HTTP what semop(2)
  /// refuses.
  ///
  /// Only a Unix socket tells who calls (SO_PEERCRED and SO_PEERGROUPS); others have the rights of the service.
  public func lets(_ peer: Peer, _ access: IPCAccess, groups: [UInt32] = []) -> Bool {
    guard case .local(_, let user, let group) = peer else { return true }
    return lets(user: user, groups: CollectionOfOne(group) + groups, access)
  }
}
