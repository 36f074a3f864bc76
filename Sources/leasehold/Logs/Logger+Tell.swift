internal import Leasehold
internal import Logging
internal import SysVTypes

extension Logger {
  /// Tells of leases that ended without their holders' doing; never the id, which is a key to the lease.
  func tell(_ ends: EndLog) {
    for removed in ends.sets {
      // Programs remove sets of their own as a matter of course; one that takes a lease along is for an operator to
      // look at.
      log(
        level: removed.isOwn || removed.leases > 0 ? .warning : .info, "a semaphore set was removed",
        metadata: [
          "set": .stringConvertible(removed.set), "key": "\(IPCKey(rawValue: removed.key).shortHexadecimal)",
          "own": .stringConvertible(removed.isOwn), "leases_ended": .stringConvertible(removed.leases),
        ])
    }
    if ends.moreSets > 0 {
      warning("more semaphore sets were removed than are named", metadata: ["sets": .stringConvertible(ends.moreSets)])
    }
    for line in ends.lines {
      var metadata: Logger.Metadata = ["ref": "\(line.ref)", "lock": "\(line.key)", "reason": "\(line.reason.name)"]
      if let owner = line.owner { metadata["owner"] = "\(owner)" }
      if let trace = line.trace.traceID { metadata["trace_id"] = "\(trace)" }
      if let span = line.trace.spanID { metadata["span_id"] = "\(span)" }
      if let said = line.breakReason { metadata["break_reason"] = "\(said)" }
      log(level: line.reason == .broken ? .notice : .info, "a lease ended", metadata: metadata)
    }
    var others: Logger.Metadata = [:]
    for reason in EndReason.allCases where ends.others[Int(reason.rawValue)] > 0 {
      others[reason.name] = .stringConvertible(ends.others[Int(reason.rawValue)])
    }
    if !others.isEmpty { info("more leases ended than are named", metadata: others) }
  }

  /// Tells once that something fails which the service's promises rest on, and once that it works again.
  func tell(_ notice: FaultNotice) {
    switch notice {
    case .began(let fault):
      log(
        level: fault.part.isNeeded ? .error : .warning,
        fault.part.isNeeded
          ? "not ready: leases granted from now on would not be kept as promised"
          : "the mark of fences is not kept: after a reboot with the clock set back, fences could repeat",
        metadata: ["part": "\(fault.part.rawValue)", "reason": "\(fault.reason)"])
    case .ended(let part): self.notice("works again", metadata: ["part": "\(part.rawValue)"])
    case .replaced(let part):
      warning("somebody removed it, or wrote over it; it was put right", metadata: ["part": "\(part.rawValue)"])
    }
  }
}
