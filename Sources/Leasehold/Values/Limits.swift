/// Every maximum of the service, with its default.
///
/// Each is a setting, has an error that names it, and a metric.
public struct Limits: Sendable {
  /// The deadline of a lease that asks for none: 30 s.
  public var ttlDefault = TimeSpan.seconds(30)
  /// The shortest time to live: 100 ms.
  public var ttlMin = TimeSpan.milliseconds(100)
  /// The longest time to live: 24 h.
  public var ttlMax = TimeSpan.seconds(24 * 3600)
  /// The longest wait: 1 h.
  public var waitMax = TimeSpan.seconds(3600)
  /// Leases that can be held at once.
  public var leases = 1_000_000
  /// Waiters of the whole service.
  public var waiters = 100_000
  /// Waiters of one lock.
  public var waitersPerLock = 20_000
  /// The maxima of one caller; 0 is its kind's share of what there is.
  public var perCaller = CallerMaxima(0)
  /// Ended leases that are remembered, so that their holders learn how they ended.
  public var tombstones = 10_000
  /// The time for which an ended lease is remembered: 10 min.
  public var tombstoneAge = TimeSpan.seconds(600)
  /// The time for which an own lock without a user is kept: 60 s.
  public var idleLocks = TimeSpan.seconds(60)
  /// Time that holders get after a restart to renew what ran out meanwhile: 2 s.
  public var recoveryGrace = TimeSpan.seconds(2)
  /// Threads that wait in the kernel, one for each contended lock that native processes share.
  public var pumps = 64
  /// Processes that leases are bound to.
  public var processes = 10_000
  /// Raw operations that wait in the kernel, each on a thread of its own.
  public var operationWaiters = 64
  /// Events that are kept for those who follow them; rounded up to a power of two.
  public var events = 16_384
  /// Answers of `/events` that may be open at once.
  public var eventSubscribers = 512
  /// The most operations that a request may list; the kernel has a limit of its own (SEMOPM, 500 unless set).
  public static let operations = 32_000
  /// The most semaphores that the end of one lease on raw operations changes.
  public static let adjustments = 64
  /// The largest identifier of a user or group.
  public static let identity = 4_294_967_294
  /// Locks that one lease can have.
  public static let wants = 32
  /// Leases that one request renews.
  public static let renewals = 1000
  /// The longest `owner`, in bytes of UTF-8.
  public static let ownerBytes = 128
  /// The longest path of a cgroup, in bytes, and the zero behind it.
  public static let cgroupBytes = 1024
  /// The longest note of a holder, in bytes of UTF-8.
  public static let noteBytes = 128
  /// The longest reason of a break, in bytes of UTF-8.
  public static let reasonBytes = 128
  /// The longest Idempotency-Key, in bytes.
  public static let idempotencyKeyBytes = 255
  /// The most slots of a counting lock: SEMVMX, semctl(2).
  public static let slots = 32_767
  /// The largest fence: below 2^53, above which readers of JSON round.
  ///
  /// Fences count microseconds of the wall clock, which reach it in the year 2255.
  public static let fence: Int64 = (1 << 53) - 1
  /// The largest fence that is believed where it is found: one that leaves room for 2^40 more.
  public static let foundFence: Int64 = fence - (1 << 40)
  /// The latest instant that is believed, in nanoseconds of CLOCK_MONOTONIC: 146 years after the boot.
  public static let instant: Int64 = 1 << 62
  /// The longest time to the deadline of a lease of an earlier daemon: 31 days, one more than any ttl.
  public static let deadlineAhead = TimeSpan.seconds(31 * 24 * 3600)
  /// The most semaphores of one set that the ledger tells apart.
  public static let semaphores = 65_535
  /// Units of a readers-writer lock: a writer takes them all, a reader takes one.
  public static let readerUnits = 16_384

  /// Records that the ledger needs: one for a lease, one for its lock, some for long names, and the ends it remembers.
  public var records: Int { 2 * leases + leases / 4 + tombstones + 64 }

  /// All defaults.
  public init() {}
}
