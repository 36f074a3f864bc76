import Leasehold
import SysVTypes
import Testing

@Suite struct IPCAccessTests {
  private func set(mode: UInt16) -> IPCPermissions {
    IPCPermissions(
      key: IPCKey(rawValue: 1), owner: 10, group: 20, creator: 11, creatorGroup: 21, mode: IPCMode(rawValue: mode))
  }

  private func peer(_ uid: UInt32, _ gid: UInt32 = 99) -> Peer { .local(pid: 1, uid: uid, gid: gid) }

  /// As the kernel answered a process of uid 65534 about sets of root.
  @Test(arguments: [
    (UInt16(0o600), false, false), (0o644, true, false), (0o622, false, true), (0o666, true, true),
    (0o606, true, true),
  ])
  func othersMayWhatTheLastBitsSay(_ mode: UInt16, _ reads: Bool, _ alters: Bool) {
    #expect(set(mode: mode).lets(peer(65_534), .read) == reads)
    #expect(set(mode: mode).lets(peer(65_534), .alter) == alters)
    #expect(!set(mode: mode).lets(peer(65_534), .control))
  }

  @Test func ownerAndCreatorHaveTheFirstBits() {
    for user in [10, 11] as [UInt32] {
      #expect(
        set(mode: 0o400).lets(peer(user, 20), .read)
          && !set(mode: 0o466).lets(peer(user, 20), .alter))
      #expect(set(mode: 0).lets(peer(user), .control))
    }
  }

  @Test func bothGroupsHaveTheMiddleBits() {
    for group in [20, 21] as [UInt32] {
      #expect(
        set(mode: 0o040).lets(peer(5, group), .read)
          && !set(mode: 0o646).lets(peer(5, group), .alter))
      #expect(!set(mode: 0o770).lets(peer(5, group), .control))
    }
  }

  @Test func openingFoldsWhatIsAskedToThreeBits() {
    #expect(!set(mode: 0o644).lets(peer(5), .open(mode: IPCMode(rawValue: 0o600))))
    #expect(set(mode: 0o646).lets(peer(5), .open(mode: IPCMode(rawValue: 0o600))))
    #expect(set(mode: 0).lets(peer(5), .open(mode: IPCMode(rawValue: 0))))
    #expect(!set(mode: 0o666).lets(peer(5), .open(mode: IPCMode(rawValue: 0o700))))
  }

  @Test func rootAndWhoIsUnknownHaveTheRightsOfTheService() {
    for peer in [peer(0), .unknown, .ipv4(0x7f00_0001, port: 5)] {
      for access in [IPCAccess.read, .alter, .control, .open(mode: IPCMode(rawValue: 0o777))] {
        #expect(set(mode: 0).lets(peer, access))
      }
    }
  }
}
