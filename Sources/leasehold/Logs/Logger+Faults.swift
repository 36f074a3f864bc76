internal import Leasehold
internal import Logging

extension Logger {
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
