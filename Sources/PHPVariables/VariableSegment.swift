/// PHP's variables in a piece of shared memory: a header, then one chunk after the other, without holes.
///
/// A program that may write the segment may have written anything into it, and may do so while we look. Each number is
/// read once, checked against the size that the kernel told, and only then used. A change is computed first and written
/// then, so one that fails leaves every byte as it was.
///
/// ```
/// header                   64-bit   32-bit
///   "PHP_SM", NUL, any     0        0
///   start                  8        8        40 or 24: where the first chunk is
///   end                    16       12       the first free byte
///   free                   24       16       what is left
///   total                  32       20
/// chunk
///   key                    0        0        signed
///   length                 8        4        of the text, in bytes
///   next                   16       8        distance to the next chunk
///   text of serialize()    24       12
/// ```
///
/// The source is `ext/sysvshm` of PHP, whose integers are native `zend_long`.
public struct VariableSegment {
  /// The width of the integers.
  public let word: WordSize
  /// Where the first free byte is.
  public private(set) var end: Int
  /// The bytes that can be taken, headers of chunks included.
  public private(set) var freeBytes: Int
  /// The header's number for its size.
  public let totalBytes: Int

  private let bytes: UnsafeMutableRawBufferPointer

  /// A variable and where it lies.
  public struct Chunk: Equatable, Sendable {
    /// PHP's variable_key.
    public let key: Int64
    /// Where its text lies.
    public let text: Range<Int>
    /// Where it begins.
    let offset: Int
    /// The whole of it.
    let byteCount: Int
  }

  static let magic: [UInt8] = [0x50, 0x48, 0x50, 0x5f, 0x53, 0x4d, 0x00]

  /// Reads the header.
  ///
  /// - Parameter bytes: The whole segment, as large as the kernel says; must stay mapped as long as this value lives.
  /// - Throws: ``SegmentFlaw`` when there is no header, or its numbers contradict each other.
  public init(_ bytes: UnsafeMutableRawBufferPointer) throws(SegmentFlaw) {
    guard bytes.count >= WordSize.bits32.headerBytes else { throw .tooSmall(bytes.count) }
    guard zip(bytes, Self.magic).allSatisfy({ $0 == $1 }) else { throw .noHeader }
    if bytes.count >= WordSize.bits64.headerBytes, bytes.loadUnaligned(fromByteOffset: 8, as: Int64.self) == 40 {
      word = .bits64
    } else if bytes.loadUnaligned(fromByteOffset: 8, as: Int32.self) == 24 {
      word = .bits32
    } else {
      throw .unknownStart
    }
    self.bytes = bytes
    let end = bytes.integer(at: 8 + word.rawValue, word)
    let free = bytes.integer(at: 8 + 2 * word.rawValue, word)
    let total = bytes.integer(at: 8 + 3 * word.rawValue, word)
    guard total >= Int64(word.headerBytes), total <= Int64(bytes.count) else { throw .header(.total) }
    guard end >= Int64(word.headerBytes), end <= total else { throw .header(.end) }
    guard free >= 0, free <= total - end else { throw .header(.free) }
    self.end = Int(end)
    freeBytes = Int(free)
    totalBytes = Int(total)
  }

  /// Writes a header without variables over whatever is there.
  ///
  /// Byte 7 stays, as it does in PHP.
  ///
  /// - Throws: ``SegmentFlaw/tooSmall(_:)``, also for more bytes than the word size can count.
  public static func initialize(
    _ bytes: UnsafeMutableRawBufferPointer, _ word: WordSize = .bits64
  ) throws(SegmentFlaw) {
    let start = word.headerBytes
    guard bytes.count >= start, word.holds(Int64(bytes.count)) else { throw .tooSmall(bytes.count) }
    for (index, byte) in magic.enumerated() { bytes[index] = byte }
    for (index, number) in [start, start, bytes.count - start, bytes.count].enumerated() {
      bytes.set(Int64(number), at: 8 + index * word.rawValue, word)
    }
  }

  /// Goes through the chunks in order, as long as `body` answers true.
  ///
  /// - Throws: ``SegmentFlaw/chunk(at:)``.
  public func forEach(_ body: (Chunk) -> Bool) throws(SegmentFlaw) {
    var offset = word.headerBytes
    while offset < end {
      guard end - offset >= word.textOffset else { throw .chunk(at: offset) }
      let length = bytes.integer(at: offset + word.rawValue, word)
      let next = bytes.integer(at: offset + 2 * word.rawValue, word)
      guard next >= Int64(word.textOffset), next <= Int64(end - offset), length >= 0,
        length <= next - Int64(word.textOffset)
      else { throw .chunk(at: offset) }
      let text = offset + word.textOffset
      let chunk = Chunk(
        key: bytes.integer(at: offset, word), text: text..<text + Int(length), offset: offset, byteCount: Int(next))
      guard body(chunk) else { return }
      offset += Int(next)
    }
  }

  /// Finds a variable; of several with one key the first, as PHP does.
  ///
  /// Every chunk is checked, behind the one that is found as well.
  ///
  /// - Throws: As ``forEach(_:)``.
  public func find(_ key: Int64) throws(SegmentFlaw) -> Chunk? { try all(key).first }

  /// The chunks with that key: PHP never leaves more than one, but others may.
  private func all(_ key: Int64) throws(SegmentFlaw) -> [Chunk] {
    var found: [Chunk] = []
    try forEach { chunk in
      if chunk.key == key { found.append(chunk) }
      return true
    }
    return found
  }

  /// The text of a variable.
  ///
  /// - Throws: As ``forEach(_:)``.
  ///
  /// The corresponding PHP function is `shm_get_var`, without its `unserialize`.
  public func text(of key: Int64) throws(SegmentFlaw) -> [UInt8]? { try find(key).map(text) }

  /// A copy of a chunk's text.
  public func text(_ chunk: Chunk) -> [UInt8] { Array(bytes[chunk.text]) }

  /// The first byte of a chunk's text, which says what type it is.
  public func type(_ chunk: Chunk) -> String { PHPValue.typeName(of: bytes[chunk.text].prefix(1)) }

  /// Stores a variable behind all others; an older one of the same key is taken out first.
  ///
  /// - Throws: ``StoreFailure``; then nothing was changed.
  ///
  /// The corresponding PHP function is `shm_put_var`, which loses the old value where the new one has no room.
  /// - Returns: Whether there was an older one.
  @discardableResult
  public mutating func put(_ key: Int64, _ text: [UInt8]) throws(StoreFailure) -> Bool {
    guard word.holds(key) else { throw .keyOutOfRange }
    let old: [Chunk]
    do throws(SegmentFlaw) { old = try all(key) } catch { throw .flaw(error) }
    // Nothing that long is in memory, and the sum must not overflow.
    let needed = word.chunkBytes(text.count)
    let free = old.reduce(freeBytes) { $0 + $1.byteCount }
    guard needed <= free, word.holds(Int64(text.count)) else { throw .full(neededBytes: needed, freeBytes: free) }
    cut(old)
    bytes.set(key, at: end, word)
    bytes.set(Int64(text.count), at: end + word.rawValue, word)
    bytes.set(Int64(needed), at: end + 2 * word.rawValue, word)
    let place = end + word.textOffset
    bytes[place..<place + text.count].copyBytes(from: text)
    settle(end: end + needed, free: freeBytes - needed)
    return !old.isEmpty
  }

  /// Takes a variable out and closes the gap.
  ///
  /// - Throws: As ``forEach(_:)``.
  ///
  /// The corresponding PHP function is `shm_remove_var`.
  /// - Returns: The bytes that became free; `nil` where there is no such variable.
  public mutating func remove(_ key: Int64) throws(SegmentFlaw) -> Int? {
    let chunks = try all(key)
    cut(chunks)
    return chunks.isEmpty ? nil : chunks.reduce(0) { $0 + $1.byteCount }
  }

  /// The last first, so that the places of the others stay right.
  private mutating func cut(_ chunks: [Chunk]) {
    for chunk in chunks.reversed() {
      let behind = chunk.offset + chunk.byteCount
      let moved = UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(bytes)[behind..<end])
      UnsafeMutableRawBufferPointer(rebasing: bytes[chunk.offset..<chunk.offset + moved.count]).copyMemory(from: moved)
      settle(end: end - chunk.byteCount, free: freeBytes + chunk.byteCount)
    }
  }

  private mutating func settle(end: Int, free: Int) {
    self.end = end
    freeBytes = free
    bytes.set(Int64(end), at: 8 + word.rawValue, word)
    bytes.set(Int64(free), at: 8 + 2 * word.rawValue, word)
  }
}

extension WordSize {
  /// Where the first chunk is.
  var headerBytes: Int { 8 + 4 * rawValue }

  /// Where the text of a chunk is.
  var textOffset: Int { 3 * rawValue }

  /// The size of the whole chunk of a text, by PHP's formula.
  func chunkBytes(_ length: Int) -> Int { (length + 4 * rawValue - 1) / rawValue * rawValue + rawValue }
}

extension UnsafeMutableRawBufferPointer {
  fileprivate func integer(at offset: Int, _ word: WordSize) -> Int64 {
    switch word {
    case .bits64: loadUnaligned(fromByteOffset: offset, as: Int64.self)
    case .bits32: Int64(loadUnaligned(fromByteOffset: offset, as: Int32.self))
    }
  }

  fileprivate func set(_ number: Int64, at offset: Int, _ word: WordSize) {
    switch word {
    case .bits64: storeBytes(of: number, toByteOffset: offset, as: Int64.self)
    case .bits32: storeBytes(of: Int32(truncatingIfNeeded: number), toByteOffset: offset, as: Int32.self)
    }
  }
}
