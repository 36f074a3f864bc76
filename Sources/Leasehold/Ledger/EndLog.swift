/// Leases that ended without their holders' doing, for the log.
///
/// A few a second by name, the others as numbers: when 100 000 end at once nobody reads their names.
public struct EndLog: Sendable {
  /// One lease.
  public struct Line: Sendable {
    /// Its short name.
    public var ref: String
    /// The lock.
    public var key: String
    /// Free text of the holder.
    public var owner: String?
    /// Why it ended.
    public var reason: EndReason
    /// The reason that an operator gave.
    public var breakReason: String?
    /// The trace of the request that took it.
    public var trace: TraceContext
  }

  /// A semaphore set that another program removed.
  public struct RemovedSet: Sendable {
    /// The kernel's number.
    public var set: Int32
    /// Its key; 0 for none.
    public var key: Int32
    /// True when it was made for own locks.
    public var isOwn: Bool
    /// Leases that ended with it.
    public var leases: Int
  }

  /// Lines in a second.
  public static let linesMax = 100

  /// Those by name, in order.
  public private(set) var lines: [Line] = []
  /// The number of others that ended (index: ``EndReason/rawValue``).
  public private(set) var others = [Int](repeating: 0, count: EndReason.allCases.count)
  /// Sets that were removed, in order.
  public private(set) var sets: [RemovedSet] = []
  /// The number of further sets.
  public private(set) var moreSets = 0
  private var room = linesMax
  private var roomForSets = linesMax

  /// True when there is anything to tell.
  public var isEmpty: Bool {
    lines.isEmpty && sets.isEmpty && moreSets == 0 && others.allSatisfy { $0 == 0 }
  }

  mutating func note(_ lease: Lease, _ reason: EndReason) {
    guard room > 0 else {
      others[Int(reason.rawValue)] += 1
      return
    }
    room -= 1
    lines.append(
      Line(
        ref: lease.id.ref, key: lease.key.text, owner: lease.owner, reason: reason,
        breakReason: reason == .broken ? lease.breaking?.reason : nil, trace: lease.asked.trace))
  }

  mutating func note(_ removed: RemovedSet) {
    guard roomForSets > 0 else {
      moreSets += 1
      return
    }
    roomForSets -= 1
    sets.append(removed)
  }

  mutating func take(isNewSecond: Bool) -> EndLog {
    var taken = self
    if isNewSecond {
      self = EndLog()
    } else {
      (lines, sets) = ([], [])
      (taken.others, taken.moreSets) = (EndLog().others, 0)
    }
    return taken
  }
}

extension EndReason {
  /// True when a lease that ends so ends without its holder's doing.
  var isUnasked: Bool {
    switch self {
    case .expired, .broken, .connectionClosed, .processExited, .processLost, .setRemoved, .lockRemoved, .rewritten: true
    case .released, .undelivered, .transferred: false
    }
  }
}
