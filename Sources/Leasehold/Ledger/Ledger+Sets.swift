/// What stands on a semaphore set, for those who write its values or remove it.
extension Ledger {
  /// The live leases on some semaphores of a set, by their short names; `nil` means all semaphores.
  public func refs(on numbers: Range<Int>?, of set: Int32) -> [String] {
    holders(on: numbers, of: set).map(\.id.ref)
  }

  /// The live leases on each semaphore of a set, by their short names, at most `limit` for each.
  public func refsBySemaphore(of set: Int32, limit: Int) -> [Int: [String]] {
    var refs: [Int: [String]] = [:]
    for lock in banks[set]?.locks ?? [] {
      guard let lock, !lock.holders.isEmpty else { continue }
      refs[lock.dialect.semaphore] = lock.holders.prefix(limit).map(\.id.ref)
    }
    return refs
  }

  /// Whether somebody queues for a lock that stands on a set.
  public func hasWaiters(on set: Int32) -> Bool {
    banks[set]?.locks.contains { $0.map { !$0.queue.isEmpty } ?? false } ?? false
  }

  /// Ends the leases on some semaphores of a set as broken, and gives nothing back.
  ///
  /// For who is about to write the values: what the leases took is not theirs to return any more.
  public func breakLeases(on numbers: Range<Int>?, of set: Int32, at moment: Moment) -> [String] {
    let leases = holders(on: numbers, of: set)
    for lease in leases { finish(lease, .broken, at: moment.monotonic.nanoseconds) }
    return leases.map(\.id.ref)
  }

  /// Somebody removed a set: what stood on it is over.
  public func setRemoved(_ set: Int32, at moment: Moment) {
    if let bank = banks[set] { bankVanished(bank, at: moment) }
  }

  private func holders(on numbers: Range<Int>?, of set: Int32) -> [Lease] {
    guard let bank = banks[set] else { return [] }
    return bank.locks.compactMap(\.self).filter { numbers?.contains($0.dialect.semaphore) ?? true }.flatMap(\.holders)
  }
}
