// Recovery of what is more than one record: conversions that were cut short, and leases of several locks.

extension Ledger {
  /// Which form of a record counts that was being converted: the kernel tells.
  func resolveConversions(_ findings: inout Findings) {
    for (cell, record, body) in findings.conversions {
      let old = findings.leases.firstIndex { $0.record.isSame(as: record) && $0.state == .held }
      let oldPart = findings.parts.firstIndex { $0.record.isSame(as: record) }
      if let oldCell = old.map({ findings.leases[$0].cell }) ?? oldPart.map({ findings.parts[$0].cell }) {
        let others = (findings.leases.map { ($0.cell, $0.record) } + findings.parts.map { ($0.cell, $0.record) })
          .filter { $0.0 != oldCell && $0.1.lockCell == record.lockCell }.map(\.1)
        guard locksByCell.indices.contains(record.lockCell), let lock = locksByCell[record.lockCell],
          happened(record, on: lock, others: others)
        else {
          storage.commit(.free, at: cell)
          continue
        }
        storage.commit(.free, at: oldCell)
      }
      storage.commit(CommitWord(.live, .lease, check: body.check), at: cell)
      if let old { findings.leases.remove(at: old) }
      if let oldPart { findings.parts.remove(at: oldPart) }
      if record.isPart {
        findings.parts.append((cell, record, body))
      } else {
        findings.leases.append((cell, record, .held, body))
      }
    }
  }

  /// Puts parts to their heads; those whose head never came to be, or is over, are given back.
  ///
  /// Answers the leases of which a part is lost with its set.
  func adoptParts(_ findings: inout Findings) -> [Lease] {
    guard !findings.parts.isEmpty else { return [] }
    var heads: [Int64: Lease] = [:]
    for case let lease? in leasesByCell where lease.state == .held || lease.state == .cooling {
      if case .whole(let parts) = lease.kind { heads[parts.fence] = lease } else { heads[lease.fence] = lease }
    }
    var bereft: [Lease] = []
    for (cell, record, body) in findings.parts.sorted(by: { $0.record.fingerprint < $1.record.fingerprint }) {
      let lock = locksByCell.indices.contains(record.lockCell) ? locksByCell[record.lockCell] : nil
      if let head = heads[record.fence], head.parts.contains(where: { $0.lock === lock }) || head.lock === lock {
        // It has of this lock already: a copy of a record that counts.
        recovery.damagedRecords += 1
        storage.commit(.free, at: cell)
        continue
      }
      guard let head = heads[record.fence] else {
        if let lock, lock.place.marksMoves { giveBackPart(cell, record, on: lock) }
        storage.commit(.free, at: cell)
        continue
      }
      guard let lock, record.units <= lock.unitsMax,
        let bytes = text(
          record.textLength, body, LeaseRecord.inlineWord, LeaseRecord.inlineBytes, record.textCell, &findings)
      else {
        storage.commit(.free, at: cell)
        bereft.append(head)
        continue
      }
      let name = record.nameLength > 0 ? LockKey(trusted: String(decoding: bytes, as: UTF8.self)) : nil
      adopt(Lease(record, cell: cell, lock: lock, key: name), of: head, on: lock)
    }
    return bereft
  }

  private func giveBackPart(_ cell: Int, _ record: LeaseRecord, on lock: Lock) {
    let share = Share(record.mode, units: record.units)
    markEnd(cell, .released, giving: share, of: lock)
    let outcome = giveBack(lock.place.giveBack(share), to: lock.set.set, of: lock)
    if outcome == .done { recovery.unitsGivenBack += record.units }
  }
}
