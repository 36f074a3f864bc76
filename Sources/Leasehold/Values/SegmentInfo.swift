/// A segment of shared memory as the kernel describes it (shmctl(2), IPC_STAT).
public struct SegmentInfo: Sendable {
  /// The SysV key; 0 for a private segment and one that goes when it is detached.
  public var key: Int32 = 0
  /// The identifier.
  public var id: Int32 = 0
  /// Owner.
  public var uid: UInt32 = 0
  /// Owner's group.
  public var gid: UInt32 = 0
  /// Creator.
  public var creatorUID: UInt32 = 0
  /// Creator's group.
  public var creatorGID: UInt32 = 0
  /// The nine permission bits.
  public var mode: UInt16 = 0
  /// The size in bytes.
  public var byteCount = 0
  /// The number of times that it is attached.
  public var attachCount = 0
  /// True when it was removed and goes with the last that has it attached.
  public var isMarkedForRemoval = false
  /// The process that made it.
  public var creatorPID: Int32 = 0
  /// The process that last attached or detached it; 0 for none.
  public var lastPID: Int32 = 0
  /// In seconds since 1970; `nil` for never.
  public var attachedAt: Int64?
  /// In seconds since 1970; `nil` for never.
  public var detachedAt: Int64?
  /// When it was made or its owner or mode changed, in seconds since 1970.
  public var changedAt: Int64 = 0
  /// The integers of the PHP that wrote its header: 64 or 32; `nil` where there is none, and in lists.
  public var wordBits: Int?
  /// True when this service keeps its own records in it.
  public var isOwn = false

  /// Makes a description.
  public init() {}

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

/// The outcome of a creation.
public struct SegmentCreation: Sendable {
  /// The segment.
  public var segment: SegmentInfo
  /// True when it was made now.
  public var created: Bool
  /// True when a header was written.
  public var initialized: Bool

  /// Makes one.
  public init(segment: SegmentInfo, created: Bool, initialized: Bool) {
    self.segment = segment
    self.created = created
    self.initialized = initialized
  }
}

/// The variables of a segment.
public struct VariableList: Sendable {
  /// One of them.
  public struct Entry: Sendable {
    /// PHP's variable_key.
    public var key: Int64
    /// The type that the first letter of its text names.
    public var type: String
    /// The length of its text.
    public var byteCount: Int

    /// Makes one.
    public init(key: Int64, type: String, byteCount: Int) {
      self.key = key
      self.type = type
      self.byteCount = byteCount
    }
  }

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

/// The host's segments and what the kernel allows (IPC_INFO).
public struct SegmentInventory: Sendable {
  /// The segments of this page.
  public var segments: [SegmentInfo] = []
  /// Where the next page begins.
  public var nextCursor: Int?
  /// SHMMAX: the largest segment, in bytes.
  public var bytesMax: UInt = 0
  /// SHMMIN: the smallest.
  public var minimumBytes: UInt = 0
  /// SHMMNI: segments.
  public var segmentsMax = 0
  /// SHMALL: all together, in pages.
  public var pagesMax: UInt = 0
  /// Segments in use.
  public var usedSegments = 0
  /// Their size, in pages.
  public var usedPages = 0

  /// An empty inventory.
  public init() {}
}
