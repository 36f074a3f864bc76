/// A set that a native request led to.
public struct BoundSet: Sendable {
  /// The set.
  public var id: BankID
  /// All its semaphores.
  public var count: Int
  /// True when it is a `path:` set that Leasehold made, with a ledger for each semaphore and a trailer.
  public var hasLedger: Bool
  /// True when this request made it.
  public var wasMade: Bool

  /// Makes a description.
  public init(id: BankID, count: Int, hasLedger: Bool = false, wasMade: Bool = false) {
    self.id = id
    self.count = count
    self.hasLedger = hasLedger
    self.wasMade = wasMade
  }

  /// The semaphores that are not Leasehold's own.
  public var userCount: Int { hasLedger ? (count - CounterDialect.trailerSemaphores) / 2 : count }
}

/// Why a native request led nowhere.
public enum BindFailure: Error, Sendable, Equatable {
  /// There is no such set; carries ENOENT for a key and EINVAL for an identifier.
  case noSet(errno: String)
  /// The set has another number of semaphores.
  case otherSize(found: Int)
  /// The file is not there and cannot be made.
  case noPath(errno: String)
  /// The caller has no right to find or make the file; carries EACCES, EPERM, or ELOOP for a link that is not followed.
  case pathDenied(errno: String)
  /// The path, after links are followed, is outside the configured folders; carries these.
  case pathNotAllowed(roots: String)
  /// The set is one that this service keeps for itself.
  case ownSet
  /// The kernel refused.
  case kernel(KernelFailure)
}
