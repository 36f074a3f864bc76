/// The work that a server does now and then.
package enum Upkeep {
  /// 19: deletes what hangs on this server's session and is in nobody's hands; a lost answer leaves that behind.
  ///
  /// - Parameters:
  ///   - listed: What a list showed, however old.
  ///   - session: This server's session.
  ///   - known: The names that are in this server's hands, what is being sent included.
  /// - Returns: One transaction for each lease.
  package static func reconcile(
    _ listed: [QueueEntry], session: Int64, known: Set<String>, rules: Rules = .all
  ) -> [QueueTransaction] {
    guard rules.has(.reconcile) else { return [] }
    let orphans = listed.filter { $0.lease == session && !known.contains($0.name) }
    return Dictionary(grouping: orphans, by: \.name).sorted { $0.key < $1.key }.map { name, entries in
      let guards = entries.map { entry -> QueueGuard in
        rules.has(.reconcileGuard) ? .modified(entry.key, entry.modified) : .exists(entry.key)
      }
      let deletes = entries.map { QueueWrite.delete($0.key) }
      // An upgrade alone leaves the reader's lease as it is.
      let isWhole = entries.contains { !$0.isUpgrade }
      guard isWhole else { return QueueTransaction(if: guards, then: deletes) }
      let end = EndValue(reason: EndValue.undelivered)
      return QueueTransaction(
        if: guards, then: LeaseWrites.delete(entries.filter { !$0.isUpgrade }, end, keepsRetry: false))
    }
  }

  /// 20: forgets the kind of a lock that nobody uses.
  package static func forget(_ lock: String, kindModified: Int64) -> QueueTransaction {
    QueueTransaction(
      if: [.isEmpty(lock: lock), .modified(.kind(lock), kindModified)], then: [.delete(.kind(lock))])
  }
}
