extension Confinement {
  /// Returns true when all that a lease stands on is covered.
  func covers(_ lease: Lease) -> Bool {
    guard prefixes != nil else { return true }
    let head = lease.whole
    return coversAlone(head) && head.parts.allSatisfy(coversAlone)
  }

  /// A lease on raw operations stands on a set, under any of its names.
  private func coversAlone(_ lease: Lease) -> Bool {
    guard let lock = lease.lock, lock.place.isOperations else { return covers(lease.key.text) }
    let key = UInt32(bitPattern: lock.set.key)
    let names = ["id:\(lock.set.set)", "0x\(String(key, radix: 16))", "\(lock.set.key)", "\(key)"]
    return (key == 0 ? names.prefix(1) : names[...]).contains { covers("sysv:" + $0) }
  }

  /// Throws for a lease that stands on something else; does not say on what.
  func check(_ lease: Lease) throws(LeaseholdError) {
    guard !covers(lease) else { return }
    throw refusal("This reaches a lease on a lock that token '\(token)' may not use")
  }

  /// Throws for an end that is remembered of a lock that is not covered.
  func check(_ end: Tombstone) throws(LeaseholdError) {
    guard let key = end.key, !([key] + end.keys).allSatisfy({ covers($0.text) }), end.lease.map(covers) != true
    else { return }
    throw refusal("This was a lease on a lock that token '\(token)' may not use")
  }
}

extension Ledger {
  /// Throws where a request would end leases that its caller may not reach: all that stand on some locks.
  func check(_ confinement: Confinement?, holdersOf locks: some Sequence<Lock>) throws(LeaseholdError) {
    guard let confinement, confinement.prefixes != nil else { return }
    for lock in locks { for lease in lock.holders { try confinement.check(lease) } }
  }
}
