/// The 120 bytes of a record behind its commit word.
public struct CellBody: Sendable {
  /// Fifteen words.
  ///
  /// The first two change by single stores and are not covered by the commit word's check.
  public var words: InlineArray<15, UInt64>

  /// An empty body.
  @inline(__always)
  public init() { words = InlineArray(repeating: 0) }

  /// Some bits of a word, as they were found.
  @inline(__always)
  func bits(_ word: Int, from low: UInt64 = 0, count: UInt64 = 64) -> Untrusted<UInt64> {
    Untrusted((words[word] << (64 - low - count)) >> (64 - count))
  }

  /// A word with a sign, as it was found.
  @inline(__always)
  func signed(_ word: Int) -> Untrusted<Int64> { Untrusted(Int64(bitPattern: words[word])) }
}

/// A word of a live record that changes in place.
public enum MutableWord: Int, Sendable {
  /// A lease's deadline; a lock's time of last use. Nanoseconds of CLOCK_MONOTONIC.
  case first = 0
  /// When a lease ended; of one that is held, the end of the grace that it got after a restart, or, negative, that an
  /// operator ends it. Nanoseconds of CLOCK_MONOTONIC.
  case second = 1
  /// The units of a lock's set, and its first text's record; the check of the whole body follows.
  case capacity = 3
}

/// Words of the ledger's header that the domain keeps.
public enum HeaderWord: Int, Sendable, CaseIterable {
  /// One past the highest record ever used.
  case highWater = 0
  /// The last fence handed out.
  case lastFence = 1
  /// The last reading of CLOCK_MONOTONIC, about once a second.
  case lastSeen = 2
}

/// Where the ledger's records live: shared memory that outlives the daemon.
///
/// Stores become visible in the order of the calls, and each is whole or absent after a crash. The ledger calls it from
/// one thread at a time.
public protocol LedgerStorage: AnyObject {
  /// Records that fit.
  var capacity: Int { get }
  /// Makes sure that the records below `count` have memory behind them, before anything depends on it.
  ///
  /// - Throws: ``KernelFailure`` where there is no memory for so many.
  func reserve(_ count: Int) throws(KernelFailure)
  /// Writes a body. The record must not be committed.
  func write(_ body: CellBody, at cell: Int)
  /// Changes one word of a live record.
  func store(_ value: UInt64, _ word: MutableWord, at cell: Int)
  /// Commits a record: everything written before is visible to a reader that sees the word.
  func commit(_ word: CommitWord, at cell: Int)
  /// Reads a commit word.
  func commitWord(at cell: Int) -> CommitWord
  /// The highest record of a range that is not free; `nil` when all are, or have no memory behind them.
  func lastUsed(in cells: Range<Int>) -> Int?
  /// Reads a body.
  func body(at cell: Int) -> CellBody
  /// Reads a header word.
  func header(_ word: HeaderWord) -> Untrusted<UInt64>
  /// Writes a header word.
  func setHeader(_ word: HeaderWord, _ value: UInt64)
}
