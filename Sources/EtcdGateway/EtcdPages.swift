extension EtcdGateway {
  /// Looks at many keys of one state, page by page: one answer with all of them would be as large as the store.
  ///
  /// - Parameters:
  ///   - pageMax: The most entries of a page.
  ///   - deadline: Tells, before each page, until when it has time.
  /// - Throws: ``EtcdFailure``, never `unknown`; `compacted` where etcd forgets states faster than they are read.
  package func list(
    _ ranges: [EtcdRange], by pageMax: Int, before deadline: () -> Int64
  ) throws(EtcdFailure) -> EtcdListing {
    try EtcdListing.inPages(of: pageMax, ranges) { range throws(EtcdFailure) in
      try list(range, before: deadline())
    }
  }
}

extension EtcdListing {
  /// The most beginnings of one reading.
  private static let beginningsMax = 4

  /// Reads keys page by page.
  ///
  /// All pages show the state of the first one, each range in the order of its keys. Where the store forgets that state
  /// meanwhile, the reading begins anew.
  ///
  /// - Parameters:
  ///   - pageMax: The most entries of a page.
  ///   - ask: Asks the store for a page.
  /// - Throws: ``EtcdFailure``: that of `ask`; `unavailable` where a page has no key that is text.
  static func inPages(
    of pageMax: Int, _ ranges: [EtcdRange], _ ask: (EtcdRange) throws(EtcdFailure) -> EtcdListing
  ) throws(EtcdFailure) -> EtcdListing {
    for _ in 1..<beginningsMax {
      do throws(EtcdFailure) {
        return try ofOneState(pageMax, ranges, ask)
      } catch .refused(.compacted, _) {
        continue
      }
    }
    return try ofOneState(pageMax, ranges, ask)
  }

  private static func ofOneState(
    _ pageMax: Int, _ ranges: [EtcdRange], _ ask: (EtcdRange) throws(EtcdFailure) -> EtcdListing
  ) throws(EtcdFailure) -> EtcdListing {
    var whole = EtcdListing()
    for var range in ranges {
      (range.isByKey, range.limit) = (true, pageMax)
      var page: EtcdListing
      repeat {
        range.revision = whole.revision
        page = try ask(range)
        // Later pages tell how far the store has come meanwhile.
        if whole.revision == 0 { whole.revision = page.revision }
        // What is no text is left out of a page.
        guard !page.hasMore || !page.entries.isEmpty else {
          throw .unavailable("etcd has \(pageMax) keys in a row that are no text")
        }
        whole.entries += page.entries
        range.after = page.entries.last?.key
      } while page.hasMore
    }
    return whole
  }
}
