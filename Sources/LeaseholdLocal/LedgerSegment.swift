import Leasehold
import SysV
import Synchronization
import SystemPackage

/// The ledger's records in a System V segment: same namespace and same life as the semaphores, so a daemon that dies
/// leaves both.
///
/// ```
/// page 0   word 0 magic   1 layout   2 capacity   3 pid   4 started (wall, us)   5, 6, 7 words of the ledger
///          8 the daemon's start (clock ticks since boot)   9 its PID namespace   32.. who serves (text)
/// then     records of 128 bytes: commit word, fifteen words of body
/// ```
/// The words of page 0 are kept here too, and what is needed of them comes from here: others may scribble.
///
/// One process writes, under one mutex. Stores are single aligned words: a crash leaves each whole or absent, in order.
final class LedgerSegment: LedgerStorage {
  static let magic: UInt64 = 0x444c_4853_4145_4c31
  static let layout: UInt64 = 2
  static let headerBytes = 4096
  static let cellBytes = 128
  static let descriptionWord = 32
  static let descriptionBytes = 256
  private static let firstLedgerWord = 5
  /// Memory is asked for in steps of this size, before anything depends on it.
  private static let step = 2 << 20

  private(set) var mapping: Mapping
  let key: IPCKey
  let capacity: Int
  private var populated = 0
  /// True when it was made here and has no record yet.
  private var isFresh: Bool
  private var base: UnsafeMutableRawPointer
  /// The words that page 0 should hold: those of the ledger, the place of the service, the daemon.
  private var words = InlineArray<3, UInt64>(repeating: 0)
  private var description = ""
  var server = ServerMark.nobody

  /// Gives the mapping one owner that can be replaced.
  final class Mapping {
    let mapping: SharedMemoryMapping
    init(_ mapping: consuming SharedMemoryMapping) { self.mapping = mapping }

    /// Finds memory for a range now; kernels before 5.14 cannot, and there a want of it shows at the first touch.
    func populate(_ range: Range<Int>) throws(Errno) {
      do { try mapping.populate(range) } catch { if error != .invalidArgument { throw error } }
    }
  }

  init(_ mapping: Mapping, key: IPCKey, capacity: Int, isFresh: Bool) {
    (self.mapping, self.key, self.capacity, self.isFresh) = (mapping, key, capacity, isFresh)
    base = mapping.mapping.baseAddress
  }

  static func bytes(capacity: Int) -> Int { headerBytes + capacity * cellBytes }

  // MARK: LedgerStorage

  func reserve(_ count: Int) throws(KernelFailure) {
    let needed = Self.bytes(capacity: count)
    guard count > 0, needed > populated else { return }
    isFresh = false
    let end = min((needed / Self.step + 1) * Self.step, Self.bytes(capacity: capacity))
    try explaining(mapping.populate(populated..<end)) { KernelFailure($0.known) }
    populated = end
  }

  func write(_ body: CellBody, at cell: Int) {
    let start = address(of: cell) + 8
    for index in 0..<15 { start.storeBytes(of: body.words[index], toByteOffset: index * 8, as: UInt64.self) }
  }

  func store(_ value: UInt64, _ word: MutableWord, at cell: Int) {
    atomic(address(of: cell) + 8 + word.rawValue * 8).pointee.store(value, ordering: .releasing)
  }

  func commit(_ word: CommitWord, at cell: Int) {
    atomic(address(of: cell)).pointee.store(word.rawValue, ordering: .releasing)
  }

  func commitWord(at cell: Int) -> CommitWord {
    CommitWord(rawValue: atomic(address(of: cell)).pointee.load(ordering: .acquiring))
  }

  func body(at cell: Int) -> CellBody {
    var body = CellBody()
    let start = address(of: cell) + 8
    for index in 0..<15 { body.words[index] = start.load(fromByteOffset: index * 8, as: UInt64.self) }
    return body
  }

  func lastUsed(in cells: Range<Int>) -> Int? {
    // To look would give each page its memory.
    if isFresh { return nil }
    let range = Self.bytes(capacity: cells.lowerBound)..<Self.bytes(capacity: cells.upperBound)
    guard (try? mapping.populate(range)) != nil else { return nil }
    return cells.last { commitWord(at: $0) != .free }
  }

  func header(_ word: HeaderWord) -> Untrusted<UInt64> {
    Untrusted(headerWord(Self.firstLedgerWord + word.rawValue))
  }

  func setHeader(_ word: HeaderWord, _ value: UInt64) {
    words[word.rawValue] = value
    setHeaderWord(Self.firstLedgerWord + word.rawValue, value)
  }

  /// Begins with the words that an earlier daemon left; what of them is believed the ledger decides.
  func takeWords() {
    for word in HeaderWord.allCases { words[word.rawValue] = headerWord(Self.firstLedgerWord + word.rawValue) }
  }

  // MARK: Raw words

  func headerWord(_ index: Int) -> UInt64 { atomic(base + index * 8).pointee.load(ordering: .acquiring) }

  func setHeaderWord(_ index: Int, _ value: UInt64) {
    atomic(base + index * 8).pointee.store(value, ordering: .releasing)
  }

  /// Says in the header where the service is, for a second daemon's error.
  func describe(_ text: String) {
    description = text
    writeDescription()
  }

  private func writeDescription() {
    let area = base + Self.descriptionWord * 8
    var bytes = Array(description.utf8.prefix(Self.descriptionBytes - 1))
    bytes.append(0)
    area.copyMemory(from: bytes, byteCount: bytes.count)
  }

  // MARK: Page 0

  /// Puts right what another program wrote over page 0, but for the word that names the daemon.
  func mendHeader() {
    let ledger = HeaderWord.allCases.map { (Self.firstLedgerWord + $0.rawValue, words[$0.rawValue]) }
    // The magic comes last.
    let all = [(1, Self.layout), (2, UInt64(capacity))] + ledger + [(0, Self.magic)]
    for (index, word) in all where headerWord(index) != word { setHeaderWord(index, word) }
  }

  /// Replaces the memory below by a copy, after another program removed the segment.
  ///
  /// How much is copied, and what page 0 says, comes from here and not from the segment. Call while no other thread
  /// works on it.
  func move(to other: Mapping) throws(Errno) {
    let used = Self.bytes(capacity: min(Int(clamping: words[HeaderWord.highWater.rawValue]), capacity))
    try other.populate(0..<used)
    let records = used - Self.headerBytes
    (other.mapping.baseAddress + Self.headerBytes).copyMemory(from: base + Self.headerBytes, byteCount: records)
    mapping = other
    base = other.mapping.baseAddress
    populated = 0
    name(server)
    writeDescription()
    mendHeader()
  }

  private func address(of cell: Int) -> UnsafeMutableRawPointer {
    precondition(cell >= 0 && cell < capacity, "a record outside the ledger")
    return base + Self.headerBytes + cell * Self.cellBytes
  }

  // An Atomic<UInt64> is eight aligned bytes; the segment is its memory for as long as it is mapped.
  private func atomic(_ address: UnsafeMutableRawPointer) -> UnsafeMutablePointer<Atomic<UInt64>> {
    address.assumingMemoryBound(to: Atomic<UInt64>.self)
  }
}
