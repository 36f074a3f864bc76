// Recovery of what is more than one record: conversions that were cut short, and leases of several locks.

extension Ledger {
  /// Decides by the kernel's values which form counts of a record that was being converted.
  func resolveConversions(_ found: inout ScanResult) {
    for form in found.conversions {
      let old = found.leases.firstIndex { $0.record.isSame(as: form.record) && $0.state == .held }
      let oldPart = found.parts.firstIndex { $0.record.isSame(as: form.record) }
      let oldCell = old.map { found.leases[$0].cell } ?? oldPart.map { found.parts[$0].cell }
      if let oldCell {
        let others = (found.leases + found.parts)
          .filter { $0.cell != oldCell && $0.record.lockCell == form.record.lockCell }.map(\.record)
        guard let lock = lockTable[form.record.lockCell], kernelAgrees(form.record, on: lock, others: others) else {
          journal.free(form.cell)
          continue
        }
      }
      journal.resolve(form, replacing: oldCell)
      if let old { found.leases.remove(at: old) }
      if let oldPart { found.parts.remove(at: oldPart) }
      if form.record[.part] { found.parts.append(form) } else { found.leases.append(form) }
    }
  }

  /// Puts parts to their heads; those whose head never came to be, or is over, are given back.
  ///
  /// Answers the leases of which a part is lost with its set.
  func adoptParts(_ found: inout ScanResult) -> [Lease] {
    guard !found.parts.isEmpty else { return [] }
    var heads: [Int64: Lease] = [:]
    for lease in leaseTable.byCell.all where lease.isHeld || lease.past != nil {
      if case .whole(let parts) = lease.kind { heads[parts.fence] = lease } else { heads[lease.fence] = lease }
    }
    var leasesMissingAPart: [Lease] = []
    // A lease may have two parts of one counting lock: a copy of a record that counts is one that has its place, too.
    var places: [Int64: Set<UInt64>] = [:]
    // Of parts that were added the first says to whom; it was marked last, and without it the others belong to nobody.
    let inOrder = found.parts.sorted {
      ($0.record.fence, $0.record.fingerprint) < ($1.record.fence, $1.record.fingerprint)
    }
    for part in inOrder {
      let (cell, record) = (part.cell, part.record)
      let lock = lockTable[record.lockCell]
      guard places[record.fence, default: []].insert(record.fingerprint).inserted else {
        journal.discardDamaged(cell, &found)
        continue
      }
      if let group = record.predecessor, group < UInt64(record.fence), heads[record.fence] == nil {
        heads[record.fence] = heads[Int64(group)]
      }
      guard let head = heads[record.fence] else {
        if let lock, lock.place.marksMoves {
          journal.free(giveBack(cell, record, .released, on: lock))
        } else {
          journal.free(cell)
        }
        continue
      }
      guard let lock, record.units <= lock.unitsMax,
        let bytes = journal.text(of: part, &found)
      else {
        journal.free(cell)
        leasesMissingAPart.append(head)
        continue
      }
      let name = record.nameLength > 0 ? LockKey(trusted: String(decoding: bytes, as: UTF8.self)) : lock.key
      register(Lease(record, cell: cell, key: name), of: head, on: lock)
    }
    return leasesMissingAPart
  }

  /// Gives back what a record still has in the kernel; until that is done it says that this is under way.
  func giveBack(_ cell: Int, _ record: LeaseRecord, _ reason: EndReason, on lock: Lock) -> Ending {
    let share = Share(record.mode, units: record.units)
    let ending = beginEnd(cell, reason, giving: share, of: lock, sharedCounts(of: lock))
    let isDone = lockTable.giveBack(.share(share), of: lock, ending) == .done
    if isDone { observers.recovery.unitsGivenBack += record.units } else { observers.counters.undoFailures += 1 }
    return ending
  }
}
