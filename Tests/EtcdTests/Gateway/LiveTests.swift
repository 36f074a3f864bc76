import Glibc
import HTTPExchange
import JSONText
import LeaseholdHost
import Testing

@testable import EtcdGateway

/// The gateway against an etcd that runs; which versions, `LEASEHOLD_ETCD` says.
@Suite(.serialized, .enabled(if: !EtcdProcess.programs.isEmpty, "there is no etcd: apt-get install etcd-server"))
struct LiveTests {
  @Test(arguments: EtcdProcess.programs)
  func transactionsLeasesAndListingsAreDone(program: String) throws {
    let etcd = try EtcdProcess(program)
    let gateway = try etcd.gateway()
    let lease = try gateway.grantLease(seconds: 60, before: soon())
    let isNew = EtcdCompare(.created, of: .one("/t/a"), .equal, 0)
    let put = EtcdTransaction(
      if: [isNew], then: [.put("/t/a", value: [0, 255], lease: lease), .put("/t/b", value: [], lease: 0)],
      else: [.range(EtcdRange(.prefix("/t/")))])
    let first = try gateway.commit(put, before: soon())
    #expect(first.isDone && !first.isRepeat)
    let second = try gateway.commit(put, before: soon())
    #expect(!second.isDone)
    #expect(second.listings[0].entries.map(\.key) == ["/t/a", "/t/b"])
    let entry = second.listings[0].entries[0]
    #expect(entry.value == [0, 255])
    #expect((entry.created, entry.modified, entry.lease) == (first.revision, first.revision, lease))

    let left = try #require(try gateway.timeToLive(lease, before: soon()))
    #expect(left.keys == ["/t/a"] && (50...60).contains(left.seconds))
    #expect(try gateway.keepAlive(lease, before: soon()) == 60)
    #expect(try gateway.timeToLive(1234, before: soon()) == nil)
    #expect(try gateway.keepAlive(1234, before: soon()) == nil)
    #expect(throws: EtcdFailure.self) {
      try gateway.commit(EtcdTransaction(if: [], then: [.put("/t/c", value: [], lease: 1234)]), before: soon())
    }

    let moved = try gateway.commit(
      EtcdTransaction(
        if: [EtcdCompare(.modified, of: .one("/t/a"), .equal, first.revision)],
        then: [.move("/t/a", lease: try gateway.grantLease(seconds: 60, before: soon())), .delete(.one("/t/b"))]),
      before: soon())
    #expect(moved.isDone)
    var range = EtcdRange(.prefix("/t/"))
    range.limit = 1
    #expect(try gateway.list(range, before: soon()).entries.map(\.value) == [[0, 255]])
    range.revision = first.revision
    let old = try gateway.list(range, before: soon())
    #expect(old.hasMore && old.entries.map(\.modified) == [first.revision])
  }

  @Test(arguments: EtcdProcess.programs)
  func manyKeysAreReadInPagesThoughTheyChangeAndTheirStateIsForgotten(program: String) throws {
    let etcd = try EtcdProcess(program)
    let gateway = try etcd.gateway()
    func write(_ operations: [EtcdOperation]) throws(EtcdFailure) -> Int64 {
      try gateway.commit(EtcdTransaction(if: [], then: operations), before: soon()).revision
    }
    // Not in the order in which they are made.
    let keys = (10..<21).map { "/p/\($0)" }
    let first = try write(keys.reversed().map { .put($0, value: [1], lease: 0) } + [.put("/q", value: [], lease: 0)])
    var pages = 0
    let listing = try EtcdListing.inPages(of: 4, [EtcdRange(.prefix("/p/"))]) { range throws(EtcdFailure) in
      pages += 1
      let page = try gateway.list(range, before: soon())
      _ = try write([.put("/p/99", value: [2], lease: 0), .put("/p/10", value: [2], lease: 0), .delete(.one("/p/20"))])
      return page
    }
    #expect(listing.entries.map(\.key) == keys && listing.revision == first && pages == 3)
    #expect(listing.entries.allSatisfy { $0.value == [1] })

    var last: Int64 = 0
    let anew = try EtcdListing.inPages(of: 4, [EtcdRange(.prefix("/p/"))]) { range throws(EtcdFailure) in
      if range.after != nil, last == 0 {
        last = try write([.put("/p/20", value: [3], lease: 0)])
        _ = try gateway.ask("/v3/kv/compaction", ["revision": .string("\(last)")], before: soon())
      }
      return try gateway.list(range, before: soon())
    }
    #expect(anew.entries.map(\.key) == keys + ["/p/99"] && anew.revision == last)
    #expect(anew.entries.map(\.value) == [[2]] + Array(repeating: [1], count: 9) + [[3], [2]])
    var young = EtcdRange(.prefix("/p/"))
    young.createdFrom = last
    let both = try gateway.list([EtcdRange(.prefix("/q")), young], by: 1) { soon() }
    #expect(both.entries.map(\.key) == ["/q", "/p/20"] && both.revision == last)
  }

  @Test(arguments: EtcdProcess.programs)
  func aWatchTellsWhatChangedSinceARevisionAndEndsWhenItIsCanceled(program: String) throws {
    let etcd = try EtcdProcess(program)
    let gateway = try etcd.gateway()
    func put(_ key: String) throws -> Int64 {
      try gateway.commit(EtcdTransaction(if: [], then: [.put(key, value: [1], lease: 0)]), before: soon()).revision
    }
    let first = try put("/w/a")
    let watch = try gateway.watch(.prefix("/w/"), from: first, before: soon())
    guard case .created? = watch.next(before: soon()) else {
      Issue.record("the watch did not begin")
      return
    }
    guard case .changes(let events, _)? = watch.next(before: soon()), case .put(let entry)? = events.first else {
      Issue.record("the watch did not tell")
      return
    }
    #expect(entry.key == "/w/a" && entry.created == first)
    _ = try put("/elsewhere")
    #expect(watch.next(before: HostClock.monotonic(after: .milliseconds(20))) == nil)
    let gone = try gateway.commit(EtcdTransaction(if: [], then: [.delete(.one("/w/a"))]), before: soon()).revision
    #expect(watch.next(before: soon()) == .changes([.deleted("/w/a", at: gone)], upTo: gone))
    watch.cancel()
    guard case .ended? = watch.next(before: soon()) else {
      Issue.record("the watch goes on")
      return
    }
  }

  @Test(arguments: EtcdProcess.programs)
  func aMemberThatIsNotThereOrStandsStillIsPassedOver(program: String) throws {
    let (etcd, still) = (try EtcdProcess(program), try EtcdProcess(program))
    _ = try still.gateway()
    still.pause()
    defer { still.resume() }
    _ = try etcd.gateway()
    let ports = [still.port, EtcdProcess.freePort(), etcd.port]
    let gateway = EtcdGateway(ports.map { EtcdProcess.peer($0) })
    let put = EtcdTransaction(
      if: [EtcdCompare(.created, of: .one("/t/a"), .equal, 0)], then: [.put("/t/a", value: [], lease: 0)])
    let outcome = try gateway.commit(put, before: soon())
    // The one that stands still took the request, and may carry it out one day.
    #expect(outcome.isDone && outcome.isRepeat)
    #expect(try !gateway.commit(put, before: soon()).isRepeat)
  }

  @Test(arguments: EtcdProcess.programs)
  func whatWasNotAskedIsUnavailableAndWhatWasNotAnsweredIsUnknown(program: String) throws {
    let etcd = try EtcdProcess(program)
    let gateway = try etcd.gateway()
    let put = EtcdTransaction(if: [], then: [.put("/t/a", value: [], lease: 0)])
    _ = try gateway.commit(put, before: soon())
    etcd.pause()
    let brief = { HostClock.monotonic(after: .milliseconds(100)) }
    #expect(throws: EtcdFailure.unknown("http://127.0.0.1:\(etcd.port): no answer in time")) {
      try gateway.commit(put, before: brief())
    }
    #expect(throws: EtcdFailure.unavailable("http://127.0.0.1:\(etcd.port): no answer in time")) {
      try gateway.list(EtcdRange(.one("/t/a")), before: brief())
    }
    etcd.resume()
    etcd.stop(SIGKILL)
    #expect(throws: EtcdFailure.unavailable("http://127.0.0.1:\(etcd.port): Connection refused")) {
      try gateway.commit(put, before: soon())
    }
    try etcd.start()
    _ = try etcd.gateway()
    _ = try gateway.commit(put, before: soon())
  }

  @Test(arguments: EtcdProcess.programs)
  func aUserGetsATokenAndANewOneWhenItIsNotKnownAnyMore(program: String) throws {
    let etcd = try EtcdProcess(program)
    let root = try etcd.gateway()
    try root.addUser("root", password: "r", before: soon())
    try root.addUser("locks", password: "s", before: soon())
    let gateway = try etcd.gateway(user: ("locks", "s"))
    let put = EtcdTransaction(if: [], then: [.put("/t/a", value: [], lease: 0)])
    let revision = try gateway.commit(put, before: soon()).revision
    let watch = try gateway.watch(.prefix("/t/"), from: revision, before: soon())
    #expect(watch.next(before: soon()) != nil)
    watch.cancel()
    // Its simple tokens do not outlive it.
    etcd.stop(SIGKILL)
    try etcd.start()
    _ = try etcd.gateway()
    _ = try gateway.commit(put, before: soon())
    let other = try etcd.gateway(user: ("locks", "wrong"))
    for stranger in [other, root] {
      let error = #expect(throws: EtcdFailure.self) { try stranger.commit(put, before: soon()) }
      guard case .refused(.denied, _)? = error else {
        Issue.record("\(error as Any)")
        continue
      }
    }
  }

  @Test(arguments: EtcdProcess.programs)
  func anEtcdWithoutItsGatewayIsNamed(program: String) throws {
    let etcd = try EtcdProcess(program, ["--enable-grpc-gateway=false"])
    let gateway = try etcd.gateway()
    let error = #expect(throws: EtcdFailure.self) { try gateway.list(EtcdRange(.one("a")), before: soon()) }
    guard case .refused(.noGateway, _)? = error else {
      Issue.record("\(error as Any)")
      return
    }
  }
}
