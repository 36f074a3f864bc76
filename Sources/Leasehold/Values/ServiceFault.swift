/// Something that the promises of the service rest on, and that fails now.
public struct ServiceFault: Sendable, Equatable {
  /// A part that can fail while the service goes on.
  public enum Part: String, Sendable, CaseIterable {
    /// The set that keeps a second daemon away.
    case guardSet = "guard"
    /// The segment that leases outlive the daemon in.
    case ledger
    /// The file that keeps fences growing through a reboot.
    case stateDirectory = "state-dir"
    /// The cluster that another engine keeps its locks in.
    case cluster

    /// True when the service is not ready without it.
    public var isNeeded: Bool { self != .stateDirectory }
  }

  /// The part that fails.
  public var part: Part
  /// Why, in a sentence without a full stop.
  public var reason: String

  /// Makes a fault.
  public init(_ part: Part, _ reason: String) {
    self.part = part
    self.reason = reason
  }
}

/// A change of what fails.
public enum FaultNotice: Sendable, Equatable {
  /// It fails from now on.
  case began(ServiceFault)
  /// It works again.
  case ended(ServiceFault.Part)
  /// Another program removed it, and it was made anew.
  case replaced(ServiceFault.Part)
}
