public import SysVTypes

/// A segment of shared memory as the kernel describes it, and what it is to this service.
public struct SegmentInfo: Sendable {
  /// The identifier.
  public var id: Int32
  /// The kernel's status of it (shmctl(2), IPC_STAT).
  public var status: SharedMemoryStatus
  /// The integers of the PHP that wrote its header: 64 or 32; `nil` where there is none, and in lists.
  public var wordBits: Int?
  /// True when this service keeps its own records in it.
  public var isOwn = false

  /// Makes a description.
  public init(id: Int32, status: SharedMemoryStatus) { (self.id, self.status) = (id, status) }

  /// The SysV key; 0 for a private segment and one that goes when it is detached.
  public var key: Int32 { status.permissions.key.rawValue }
  /// The key of the lock that guards its variables; `nil` for a segment without a key, and for one of this service's
  /// own, which has none.
  public var guardKey: Int32? { key == 0 || isOwn ? nil : key }
}

/// A request to make a segment.
public struct SegmentRequest: Sendable {
  /// The key; `nil` for a private one.
  public var key: Int32?
  /// The size in bytes, 40 at least.
  public var byteCount: Int
  /// The nine permission bits.
  public var mode: UInt16
  /// True when one that exists gets a header where it has no good one.
  public var initializes: Bool
  /// The account it counts for; `nil` for none.
  public var account: CallerAccount?

  /// Makes a request.
  public init(key: Int32?, byteCount: Int, mode: UInt16, initializes: Bool) {
    self.key = key
    self.byteCount = byteCount
    self.mode = mode
    self.initializes = initializes
  }
}

/// The variables of a segment.
public struct VariableList: Sendable {
  /// PHP's variable_key, the type that the first letter of its text names, and the length of that.
  public typealias Entry = (key: Int64, type: String, byteCount: Int)

  /// In order of last writing.
  public var entries: [Entry] = []
  /// The number of variables.
  public var count = 0
  /// Where the next page begins.
  public var nextCursor: Int?
  /// The header's number for the size.
  public var totalBytes = 0
  /// Header and chunks.
  public var usedBytes = 0
  /// The bytes that can be taken, headers of chunks included.
  public var freeBytes = 0
  /// 64 or 32.
  public var wordBits = 64

  /// An empty list.
  public init() {}
}
