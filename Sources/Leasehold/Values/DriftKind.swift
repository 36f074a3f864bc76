/// An error in the values of a set; its cases are called as they are on the wire.
public enum DriftKind: UInt8, Sendable, CaseIterable {
  /// More is free than the lock's capacity allows.
  case surplus
  /// Fewer units are counted as out than leases have.
  case uncounted
  /// More units are counted as out than leases have.
  case overcounted
  /// Values were written where nothing counts what is out.
  case rewritten

  /// The word on the wire.
  public var name: String { "\(self)" }
}
