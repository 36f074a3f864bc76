import HTTPExchange
import LeaseholdQueue
import Testing

@testable import EtcdGateway
@testable import LeaseholdEtcd

/// The view of the keys of a cluster, by what a watch tells.
struct ViewTests {
  private static let store = QueueStore(
    names: QueueNames(prefix: "/p"), gateway: gateway, leases: LeasePool(gateway))
  private static let gateway: EtcdGateway = {
    guard let address = ServiceAddress("http://127.0.0.1:1", port: 2379) else { preconditionFailure("an address") }
    let peer = HTTPPeer(address, setting: "--etcd-ca")
    return EtcdGateway(EtcdGateway.Configuration(endpoints: [peer]))
  }()

  private var view = ClusterView(Self.store)

  private func put(_ key: QueueKey, _ value: QueueValue, at revision: Int64) -> EtcdEvent {
    var entry = EtcdEntry(key: Self.store.names.text(key))
    (entry.value, entry.created, entry.modified, entry.lease) = (value.stored, revision, revision, 7)
    return .put(entry)
  }

  private func gone(_ key: QueueKey, at revision: Int64) -> EtcdEvent {
    .deleted(Self.store.names.text(key), at: revision)
  }

  private func value(cooldown: Int64 = 0) -> EntryValue {
    var value = EntryValue(units: 1, ttl: 5_000, mark: 9)
    value.cooldown = cooldown
    return value
  }

  /// The words of what a change says.
  private func words(_ changes: [ClusterView.Change]) -> [String] {
    changes.map { change in
      switch change {
      case .put(let entry, let before): "\(before == nil ? "new" : "written") \(entry.name)"
      case .removed(let entry, let end): "\(end?.reason ?? "expired") \(entry.name)"
      case .lapsed(let entry): "lapsed \(entry.name)"
      case .other(let lock): "other \(lock)"
      case .resized(let lock, let limit): "resized \(lock) \(limit)"
      }
    }
  }

  private let entry = QueueKey.entry(lock: "a", "e")

  @Test mutating func aLeaseWithACooldownIsOverWithItsMarkAndNotAgainWithItsPlace() {
    let granted = view.apply([
      put(entry, .entry(value(cooldown: 1_000)), at: 5), put(.inTime("e"), .bytes([]), at: 5),
    ])
    #expect(words(granted) == ["new e"] && view.coolingCount == 0)
    let lapsed = view.apply([gone(.inTime("e"), at: 6)])
    #expect(words(lapsed) == ["lapsed e"] && view.coolingCount == 1)
    let freed = view.apply([gone(entry, at: 7)])
    #expect(words(freed) == ["other a"])
    #expect(view.coolingCount == 0 && view.places.isEmpty)
  }

  @Test mutating func aReleaseInTimeIsNoLapse() {
    _ = view.apply([put(entry, .entry(value(cooldown: 1_000)), at: 5), put(.inTime("e"), .bytes([]), at: 5)])
    let released = view.apply([
      gone(entry, at: 6), gone(.inTime("e"), at: 6), put(.end("e"), .end(EndValue(reason: "released")), at: 6),
    ])
    #expect(words(released) == ["released e"])
  }

  @Test mutating func whatIsNotListedAnyMoreIsGone() {
    _ = view.apply([
      put(.kind("a"), .kind(.readersWriter), at: 5), put(entry, .entry(value(cooldown: 1)), at: 5),
      put(.inTime("e"), .bytes([]), at: 5), put(.entry(lock: "b", "f"), .entry(value()), at: 6),
    ])
    var listing = EtcdListing()
    listing.revision = 9
    let changes = view.replace(by: listing)
    #expect(words(changes).sorted() == ["expired e", "expired f", "other a"])
    #expect(view.locks.isEmpty && view.inTime.isEmpty && view.places.isEmpty)
  }

  @Test mutating func ofAListOfAllKeysTheEndsSinceTheLastChangeAreNeeded() {
    #expect(view.needs == ["/p/a/", "/p/c/", "/p/q/"].map { EtcdRange(.prefix($0)) })
    _ = view.apply([put(entry, .entry(value()), at: 5)])
    var ends = EtcdRange(.prefix("/p/d/"))
    ends.createdFrom = 6
    #expect(view.needs.last == ends && view.needs.count == 4)
    var listing = EtcdListing()
    listing.revision = 9
    listing.entries = [
      put(.entry(lock: "b", "g"), .entry(value()), at: 8), put(.entry(lock: "c", "f"), .entry(value()), at: 7),
      put(.end("e"), .end(EndValue(reason: "released")), at: 6),
    ].compactMap { if case .put(let entry) = $0 { entry } else { nil } }
    #expect(words(view.replace(by: listing)) == ["new f", "new g", "released e"])
  }

  @Test mutating func anEndWithAGraceLeavesThePlaceTakenWhateverIsSeenOfIt() {
    _ = view.apply([put(entry, .entry(value()), at: 5)])
    var state = EtcdState(view: view, log: EventLog(capacity: 8))
    var end = EndValue(reason: "broken")
    end.grace = 4_000
    state.ends.note("e", end)
    #expect(state.queue("a").entries.map(\.name) == ["e"])
    var other = EtcdState(view: view, log: EventLog(capacity: 8))
    other.ends.note("e", EndValue(reason: "released"))
    #expect(other.queue("a").entries.isEmpty)
  }

  @Test mutating func whatIsOldIsNotHeard() {
    _ = view.apply([put(entry, .entry(value()), at: 5)])
    let old = view.apply([gone(entry, at: 5), put(.entry(lock: "a", "f"), .entry(value()), at: 4)])
    #expect(old.isEmpty)
    #expect(view.queue("a").entries.map(\.name) == ["e"])
  }

  @Test mutating func rubbishTakesTheWholeLock() {
    var rubbish = EtcdEntry(key: "/p/q/a/e")
    (rubbish.value, rubbish.created, rubbish.modified) = ([0xff, 0x00], 5, 5)
    _ = view.apply([.put(rubbish), put(.kind("a"), .kind(.counting(limit: 4)), at: 5)])
    #expect(!view.queue("a").hasRoom(for: 1, as: .counting(limit: 4)))
  }

  @Test mutating func aLockThatShrinksHasNoLeaseForThat() {
    _ = view.apply([put(.kind("a"), .kind(.counting(limit: 3)), at: 5), put(entry, .entry(value()), at: 6)])
    var blocker = EntryValue(units: 2, ttl: 0, mark: 0)
    blocker.shrinksTo = 1
    #expect(words(view.apply([put(.entry(lock: "a", "shrink-1"), .entry(blocker), at: 7)])) == ["other a"])
    #expect(view.places.keys.sorted() == ["e"] && view.queue("a").holders.map(\.name) == ["e"])
    #expect(!view.queue("a").hasRoom(for: 1, as: .counting(limit: 3)) && view.shrinking == ["a"])
    let shrunk = view.apply([
      put(.kind("a"), .kind(.counting(limit: 1)), at: 8), gone(.entry(lock: "a", "shrink-1"), at: 8),
    ])
    #expect(words(shrunk) == ["resized a 1", "other a"])
    #expect(view.queue("a").entries.map(\.name) == ["e"] && view.queue("a").capacity == 1 && view.shrinking.isEmpty)
  }
}
