import Testing

@testable import EtcdGateway

/// Many keys read page by page, from a store that changes meanwhile.
@Suite struct PagesTests {
  /// A store that answers as etcd does; each state is known by its revision.
  private struct Store {
    var states: [Int64: [String]]
    var asked: [EtcdRange] = []
    /// States up to this one are forgotten.
    var compacted: Int64 = 0

    mutating func answer(_ range: EtcdRange) throws(EtcdFailure) -> EtcdListing {
      asked.append(range)
      let newest = states.keys.max() ?? 0
      let revision = range.revision == 0 ? newest : range.revision
      guard revision > compacted else { throw .refused(.compacted, "forgotten") }
      let keys = (states[revision] ?? []).filter { $0 > range.after ?? "" }
      var listing = EtcdListing()
      listing.entries = keys.prefix(range.limit).map { EtcdEntry(key: $0) }
      (listing.hasMore, listing.revision) = (keys.count > range.limit, newest)
      return listing
    }
  }

  @Test(arguments: [
    (0, 2, 1), (1, 2, 1), (2, 2, 1), (3, 2, 2), (4, 2, 2), (5, 2, 3), (3, 1, 3), (9, 100, 1),
  ])
  func eachKeyIsReadOnce(count: Int, pageMax: Int, pages: Int) throws {
    let keys = (0..<count).map { "k/\($0)" }
    var store = Store(states: [7: keys])
    let listing = try EtcdListing.inPages(of: pageMax, [EtcdRange(.prefix("k/"))]) { range throws(EtcdFailure) in
      try store.answer(range)
    }
    #expect(listing.entries.map(\.key) == keys && listing.revision == 7 && !listing.hasMore)
    #expect(store.asked.count == pages)
    #expect(store.asked.allSatisfy { $0.isByKey && $0.limit == pageMax && $0.keys == .prefix("k/") })
  }

  @Test func allPagesShowTheStateOfTheFirstOne() throws {
    var store = Store(states: [7: ["a", "b", "c"]])
    let listing = try EtcdListing.inPages(of: 1, [EtcdRange(.prefix("k"))]) { range throws(EtcdFailure) in
      defer { store.states[Int64(7 + store.asked.count)] = ["b", "d"] }
      return try store.answer(range)
    }
    #expect(listing.entries.map(\.key) == ["a", "b", "c"] && listing.revision == 7)
    #expect(store.asked.map(\.revision) == [0, 7, 7])
  }

  @Test func aStateThatIsForgottenMeanwhileIsReadAnew() throws {
    var store = Store(states: [7: ["a", "b", "c"]])
    let listing = try EtcdListing.inPages(of: 2, [EtcdRange(.prefix("k"))]) { range throws(EtcdFailure) in
      if range.after != nil, store.compacted == 0 { (store.states[9], store.compacted) = (["b", "d", "e"], 8) }
      return try store.answer(range)
    }
    #expect(listing.entries.map(\.key) == ["b", "d", "e"] && listing.revision == 9)
  }

  @Test func aStoreThatForgetsFasterThanItIsReadIsNotReadForEver() {
    var store = Store(states: [7: ["a", "b", "c"]])
    let error = #expect(throws: EtcdFailure.self) {
      _ = try EtcdListing.inPages(of: 2, [EtcdRange(.prefix("k"))]) { range throws(EtcdFailure) in
        if range.after != nil {
          store.compacted = store.states.keys.max() ?? 0
          store.states[store.compacted + 1] = ["a", "b", "c"]
        }
        return try store.answer(range)
      }
    }
    guard case .refused(.compacted, _)? = error else {
      Issue.record("\(error as Any)")
      return
    }
    #expect(store.asked.count == 8)
  }

  @Test func aPageWithoutAKeyThatIsTextIsAFailureAndNoEnd() {
    var pages = [["a"], []]
    #expect(throws: EtcdFailure.unavailable("etcd has 1 keys in a row that are no text")) {
      _ = try EtcdListing.inPages(of: 1, [EtcdRange(.prefix("k"))]) { _ in
        var listing = EtcdListing()
        (listing.entries, listing.hasMore) = (pages.removeFirst().map { EtcdEntry(key: $0) }, true)
        return listing
      }
    }
    #expect(pages.isEmpty)
  }
}
