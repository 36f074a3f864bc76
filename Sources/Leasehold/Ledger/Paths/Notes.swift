// What a holder says of itself, in memory alone.

extension Ledger {
  /// Sets the text that a holder shows; `nil` or an empty one clears it.
  ///
  /// - Throws: As ``LockService/note(_:_:within:at:)``.
  public func note(
    _ id: LeaseID, _ text: String?, within confinement: Confinement? = nil, at moment: Moment
  ) throws(LeaseholdError) -> LeaseSnapshot {
    let lease = try findHeld(id, key: nil, within: confinement, at: moment)
    note(lease, text)
    return snapshot(lease)
  }

  /// Notes what a holder said of itself when it asked.
  @inline(never)
  func begin(_ lease: Lease, _ remarks: HolderRemarks) {
    lease.remarks = remarks.noting(nil)
    note(lease, remarks.note)
  }

  func note(_ lease: Lease, _ text: String?) {
    let text = text?.isEmpty == true ? nil : text
    guard !(lease.remarks?.note).isExactly(text) else { return }
    lease.remarks = (lease.remarks ?? HolderRemarks(note: nil)).noting(text)
    observers.noted(lease)
  }
}
