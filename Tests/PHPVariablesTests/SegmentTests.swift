import Testing

@testable import PHPVariables

/// Memory of a segment, with guards of a known pattern on both sides.
final class Memory {
  private let whole: UnsafeMutableRawBufferPointer
  let bytes: UnsafeMutableRawBufferPointer
  private static let margin = 64

  init(_ count: Int) {
    whole = .allocate(byteCount: count + 2 * Self.margin, alignment: 16)
    for index in whole.indices { whole[index] = 0xa5 }
    bytes = UnsafeMutableRawBufferPointer(rebasing: whole[Self.margin..<Self.margin + count])
    for index in bytes.indices { bytes[index] = 0 }
  }

  convenience init(_ content: [UInt8]) {
    self.init(content.count)
    bytes.copyBytes(from: content)
  }

  deinit { whole.deallocate() }

  var content: [UInt8] { Array(bytes) }

  /// Whether nobody wrote beside the segment.
  var isIntactOutside: Bool {
    whole.prefix(Self.margin).allSatisfy { $0 == 0xa5 } && whole.suffix(Self.margin).allSatisfy { $0 == 0xa5 }
  }

  func set(_ number: Int64, at offset: Int, _ word: WordSize = .bits64) {
    if word == .bits64 {
      bytes.storeBytes(of: number, toByteOffset: offset, as: Int64.self)
    } else {
      bytes.storeBytes(of: Int32(truncatingIfNeeded: number), toByteOffset: offset, as: Int32.self)
    }
  }
}

func hexadecimal(_ text: String) -> [UInt8] {
  text.split { $0 == " " || $0 == "\n" }.compactMap { UInt8($0, radix: 16) }
}

/// What PHP 8.2 writes into 160 bytes for `shm_put_var($m, 1, "Variable 1"); shm_put_var($m, -2, true);`.
private let golden64 = hexadecimal(
  """
  50 48 50 5f 53 4d 00 00  28 00 00 00 00 00 00 00  88 00 00 00 00 00 00 00  18 00 00 00 00 00 00 00
  a0 00 00 00 00 00 00 00  01 00 00 00 00 00 00 00  12 00 00 00 00 00 00 00  38 00 00 00 00 00 00 00
  73 3a 31 30 3a 22 56 61  72 69 61 62 6c 65 20 31  22 3b 00 00 00 00 00 00  00 00 00 00 00 00 00 00
  fe ff ff ff ff ff ff ff  04 00 00 00 00 00 00 00  28 00 00 00 00 00 00 00  62 3a 31 3b 00 00 00 00
  00 00 00 00 00 00 00 00  00 00 00 00 00 00 00 00  00 00 00 00 00 00 00 00  00 00 00 00 00 00 00 00
  """)

/// The same by a PHP of 32 bits.
private let golden32 =
  hexadecimal(
    """
    50 48 50 5f 53 4d 00 00  18 00 00 00 50 00 00 00  50 00 00 00 a0 00 00 00  01 00 00 00 12 00 00 00
    24 00 00 00 73 3a 31 30  3a 22 56 61 72 69 61 62  6c 65 20 31 22 3b 00 00  00 00 00 00 fe ff ff ff
    04 00 00 00 14 00 00 00  62 3a 31 3b 00 00 00 00
    """) + [UInt8](repeating: 0, count: 80)

@Suite struct SegmentTests {
  private func put(_ memory: Memory, _ key: Int64, _ value: PHPValue) throws {
    var segment = try VariableSegment(memory.bytes)
    try segment.put(key, PHPSerializer.serialize(value))
  }

  @Test(arguments: [WordSize.bits64, .bits32]) func theBytesAreThoseOfPHP(_ word: WordSize) throws {
    let golden = word == .bits64 ? golden64 : golden32
    let memory = Memory(160)
    try VariableSegment.initialize(memory.bytes, word)
    try put(memory, 1, .string(Array("Variable 1".utf8)))
    try put(memory, -2, .bool(true))
    #expect(golden.count == 160)
    #expect(memory.content == golden)
    let segment = try VariableSegment(memory.bytes)
    #expect(segment.word == word)
    #expect(segment.end == (word == .bits64 ? 136 : 80))
    #expect(segment.freeBytes == (word == .bits64 ? 24 : 80))
    #expect(try segment.text(of: -2) == Array("b:1;".utf8))
    #expect(try segment.text(of: 3) == nil)
  }

  @Test(arguments: [(0, 32), (1, 40), (2, 40), (8, 40), (9, 48), (16, 48), (17, 56), (24, 56), (109, 144)])
  func aChunkIsAsLargeAsPHPMakesIt(_ length: Int, _ expected: Int) {
    #expect(WordSize.bits64.chunkBytes(length) == expected)
  }

  @Test(arguments: [(0, 16), (4, 20), (18, 36)])
  func aChunkOf32BitsIsAsLargeAsPHPMakesIt(_ length: Int, _ expected: Int) {
    #expect(WordSize.bits32.chunkBytes(length) == expected)
  }

  @Test func anUpdateMovesAVariableToTheEnd() throws {
    let memory = Memory(400)
    try VariableSegment.initialize(memory.bytes)
    for key in 1...3 { try put(memory, Int64(key), .int(Int64(key))) }
    let before = try VariableSegment(memory.bytes).end
    try put(memory, 1, .int(9))
    var keys: [Int64] = []
    let segment = try VariableSegment(memory.bytes)
    try segment.forEach {
      keys.append($0.key)
      return true
    }
    #expect(keys == [2, 3, 1])
    #expect(segment.end == before)
    #expect(try segment.text(of: 1) == Array("i:9;".utf8))
  }

  @Test func aRemovalClosesTheGap() throws {
    let memory = Memory(400)
    try VariableSegment.initialize(memory.bytes)
    for key in 1...3 { try put(memory, Int64(key), .int(Int64(key))) }
    var segment = try VariableSegment(memory.bytes)
    let (end, free) = (segment.end, segment.freeBytes)
    #expect(try segment.remove(2) == 40)
    #expect((segment.end, segment.freeBytes) == (end - 40, free + 40))
    #expect(try segment.remove(2) == nil)
    #expect(try VariableSegment(memory.bytes).text(of: 3) == Array("i:3;".utf8))
  }

  @Test func whereANewValueHasNoRoomEveryByteStays() throws {
    let memory = Memory(160)
    try VariableSegment.initialize(memory.bytes)
    try put(memory, 1, .string(Array("old".utf8)))
    let before = memory.content
    var segment = try VariableSegment(memory.bytes)
    let failure = #expect(throws: StoreFailure.self) {
      try segment.put(1, [UInt8](repeating: 0x78, count: 200))
    }
    #expect(failure == .full(neededBytes: 232, freeBytes: 120))
    #expect(memory.content == before)
  }

  @Test func theOldValuesRoomCountsForTheNewOne() throws {
    let memory = Memory(40 + 56)
    try VariableSegment.initialize(memory.bytes)
    try put(memory, 1, .string(Array("Variable 1".utf8)))
    try put(memory, 1, .string(Array("Variable 2".utf8)))
    #expect(try VariableSegment(memory.bytes).freeBytes == 0)
    #expect(try VariableSegment(memory.bytes).text(of: 1) == Array(#"s:10:"Variable 2";"#.utf8))
  }

  @Test func aKeyThatStandsThereTwiceIsReplacedAndRemovedAsOne() throws {
    let memory = Memory(400)
    try VariableSegment.initialize(memory.bytes)
    for key in 1...3 { try put(memory, Int64(key), .int(Int64(key))) }
    memory.set(1, at: 40 + 2 * 40)
    try put(memory, 1, .int(9))
    #expect(try VariableSegment(memory.bytes).text(of: 1) == Array("i:9;".utf8))
    var segment = try VariableSegment(memory.bytes)
    #expect(segment.end == 120)
    #expect(try segment.remove(1) == 40)
    #expect(try segment.find(1) == nil && segment.text(of: 2) == Array("i:2;".utf8))
  }

  @Test func aKeyThat32BitsCannotHoldIsRefusedThere() throws {
    let memory = Memory(160)
    try VariableSegment.initialize(memory.bytes, .bits32)
    var segment = try VariableSegment(memory.bytes)
    #expect(throws: StoreFailure.keyOutOfRange) { try segment.put(1 << 31, [0x4e, 0x3b]) }
    #expect(throws: Never.self) { try segment.put(-1 << 31, [0x4e, 0x3b]) }
  }

  @Test func whatIsTooSmallOrForeignIsNoSegment() {
    #expect(throws: SegmentFlaw.tooSmall(23)) { try VariableSegment(Memory(23).bytes) }
    #expect(throws: SegmentFlaw.noHeader) { try VariableSegment(Memory(160).bytes) }
    #expect(throws: SegmentFlaw.tooSmall(39)) { try VariableSegment.initialize(Memory(39).bytes) }
    let memory = Memory(golden64)
    memory.set(48, at: 8)
    #expect(throws: SegmentFlaw.unknownStart) { try VariableSegment(memory.bytes) }
  }

  /// Offset, hostile number, what it is.
  private static let hostileHeaders: [(Int, Int64, SegmentFlaw.HeaderField)] = [
    (16, 39, .end), (16, 161, .end), (16, -1, .end), (16, .max, .end), (16, .min, .end),
    (24, -1, .free), (24, 25, .free), (24, .max, .free), (24, .min, .free),
    (32, 161, .total), (32, 39, .total), (32, -1, .total), (32, .max, .total), (32, 135, .end),
  ]

  @Test(arguments: hostileHeaders)
  func aHostileHeaderIsRefused(_ offset: Int, _ number: Int64, _ field: SegmentFlaw.HeaderField) {
    let memory = Memory(golden64)
    memory.set(number, at: offset)
    #expect(throws: SegmentFlaw.header(field)) { try VariableSegment(memory.bytes) }
  }

  /// Offset in the first chunk, hostile number.
  private static let hostileChunks: [(Int, Int64)] = [
    (8, -1), (8, 33), (8, 34), (8, .max), (8, .min),
    (16, 0), (16, -1), (16, 23), (16, 97), (16, .max), (16, .min), (16, 40), (16, 41),
  ]

  @Test(arguments: hostileChunks) func aHostileChunkIsRefusedAndNothingWritten(_ offset: Int, _ number: Int64) throws {
    let memory = Memory(golden64)
    memory.set(number, at: 40 + offset)
    let before = memory.content
    var segment = try VariableSegment(memory.bytes)
    #expect(throws: SegmentFlaw.self) { try segment.find(-2) }
    #expect(throws: SegmentFlaw.self) { try segment.remove(-2) }
    #expect(throws: StoreFailure.self) { try segment.put(7, [0x4e, 0x3b]) }
    #expect(memory.content == before)
    #expect(memory.isIntactOutside)
  }

  @Test func aNameIsHashedAsZlibDoes() {
    #expect(VariableName.key("123456789".utf8) == 0xcbf4_3926)
    #expect(VariableName.key("123456789".utf8, .bits32) == Int64(Int32(bitPattern: 0xcbf4_3926)))
    #expect(VariableName.key("".utf8) == 0)
  }
}
