import Leasehold
import Testing

@Suite struct PeerTests {
  @Test(
    arguments: [
      (.unknown, nil), (.ipv4(0x7f00_0001, port: 5555), "127.0.0.1:5555"), (.ipv6(0, 1, port: 80), "[::1]:80"),
      (.ipv6(0x2001_0db8_0000_0000, 0xff, port: 1), "[2001:db8:0:0:0:0:0:ff]:1"),
      (.local(pid: 7, uid: 8, gid: 9), "unix"),
    ] as [(Peer, String?)])
  func anAddressIsWrittenAsUsual(_ peer: Peer, _ text: String?) { #expect(peer.address == text) }

  @Test func aProcessIsKnownWhereItCanBeSeen() {
    #expect(Peer.local(pid: 7, uid: 8, gid: 9).pid == 7)
    #expect(Peer.local(pid: 0, uid: 8, gid: 9).pid == nil)
    #expect(Peer.local(pid: 7, uid: 8, gid: 9).uid == 8)
    #expect(Peer.ipv4(1, port: 1).pid == nil && Peer.unknown.uid == nil)
  }
}
