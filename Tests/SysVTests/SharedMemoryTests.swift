import Glibc
import SysV
import SystemPackage
import Testing

@Suite("A shared memory segment")
struct SharedMemoryTests {
  @Test func aNewSegmentHasItsSizeItsModeAndNobodyAttached() throws {
    let key = IPCKey.random()
    let segment = try SharedMemorySegment.create(
      key: key, byteCount: 5000, mode: [.ownerReadWrite, .groupRead], options: .noReserve)
    defer { try? segment.remove() }
    let status = try segment.status()
    #expect(status.byteCount == 5000)
    #expect(status.permissions.key == key)
    #expect(status.permissions.mode == [.ownerReadWrite, .groupRead])
    #expect(status.attachCount == 0)
    #expect(status.creatorProcessID == getpid())
    #expect(status.lastProcessID == 0)
    #expect(status.attachedAtSeconds == nil)
    #expect(status.detachedAtSeconds == nil)
    #expect(status.changedAtSeconds > 1_700_000_000)
    #expect(!status.isLocked)
    #expect(!status.isMarkedForRemoval)
  }

  @Test func aTakenKeyIsRefusedAndFoundAndOpenOrCreateFindsIt() throws {
    let key = IPCKey.random()
    #expect(throws: Errno.noSuchFileOrDirectory) { try SharedMemorySegment.open(key: key) }
    let segment = try SharedMemorySegment.openOrCreate(key: key, byteCount: 4096)
    defer { try? segment.remove() }
    #expect(throws: Errno.fileExists) { try SharedMemorySegment.create(key: key, byteCount: 4096) }
    #expect(try SharedMemorySegment.open(key: key) == segment)
    #expect(try SharedMemorySegment.openOrCreate(key: key, byteCount: 1) == segment)
    #expect(throws: Errno.invalidArgument) { try SharedMemorySegment.open(key: key, byteCount: 4097) }
  }

  @Test func thePrivateKeyOpensNothingAndMakesNothing() throws {
    #expect(throws: Errno.noSuchFileOrDirectory) { try SharedMemorySegment.open(key: .private) }
  }

  @Test(arguments: [0, -1])
  func aSizeThatTheKernelDoesNotAllowIsInvalid(byteCount: Int) throws {
    #expect(throws: Errno.invalidArgument) { try SharedMemorySegment.create(byteCount: byteCount).remove() }
  }

  @Test func twoMappingsSeeTheSameBytesAndAreCounted() throws {
    try withSegment(8192) { segment throws in
      let writer = try segment.attach()
      let reader = try segment.attach(.readOnly)
      #expect(try segment.status().attachCount == 2)
      #expect(try segment.status().lastProcessID == getpid())
      #expect(try segment.status().attachedAtSeconds != nil)
      #expect((writer.byteCount, writer.isReadOnly, reader.isReadOnly) == (8192, false, true))
      writer.bytes[8191] = 77
      #expect(reader.bytes[8191] == 77)
      #expect(reader.bytes[0] == 0)
      try writer.detach()
      #expect(try segment.status().attachCount == 1)
      #expect(reader.baseAddress.load(fromByteOffset: 8191, as: UInt8.self) == 77)
      try reader.detach()
      #expect(try segment.status().attachCount == 0)
      #expect(try segment.status().detachedAtSeconds != nil)
    }
  }

  @Test func theEndOfTheScopeDetaches() throws {
    try withSegment { segment throws in
      do {
        let mapping = try segment.attach()
        #expect(mapping.bytes.count == 8192)
        #expect(try segment.status().attachCount == 1)
      }
      #expect(try segment.status().attachCount == 0)
    }
  }

  @Test func writingToAReadOnlyMappingEndsTheProcess() async {
    await #expect(processExitsWith: .failure) {
      let segment = try SharedMemorySegment.create(byteCount: 4096)
      let mapping = try segment.attach(.readOnly)
      try segment.remove()
      mapping.bytes[0] = 1
      exit(EXIT_SUCCESS)
    }
  }

  @Test func aRemovedSegmentStaysForThoseWhoHaveItAndHasNoKey() throws {
    let key = IPCKey.random()
    let segment = try SharedMemorySegment.create(key: key, byteCount: 4096)
    let mapping = try segment.attach()
    mapping.bytes[0] = 5
    try segment.remove()
    #expect(throws: Errno.noSuchFileOrDirectory) { try SharedMemorySegment.open(key: key) }
    let status = try segment.status()
    #expect(status.isMarkedForRemoval)
    #expect(status.permissions.key == .private)
    #expect(mapping.bytes[0] == 5)
    try mapping.detach()
    #expect(throws: Errno.invalidArgument) { try segment.status() }
    #expect(throws: Errno.invalidArgument) { try segment.attach().detach() }
  }

  @Test func lockingAndUnlockingShows() throws {
    try withSegment { segment throws in
      try segment.lock()
      #expect(try segment.status().isLocked)
      try segment.unlock()
      #expect(try !segment.status().isLocked)
    }
  }

  @Test func permissionsAreSet() throws {
    try withSegment { segment throws in
      try segment.setMode([.ownerReadWrite, .otherRead])
      #expect(try segment.status().permissions.mode == [.ownerReadWrite, .otherRead])
    }
  }

  /// Range, and the bytes that are in memory afterwards.
  @Test(arguments: [(0..<1, 4096), (4095..<4097, 8192), (8192..<20000, 12288), (5..<5, 0), (0..<20000, 20480)])
  func populatingFindsMemoryForTheWholePagesOfTheRange(range: Range<Int>, residentBytes: Int) throws {
    try withSegment(20000) { segment throws in
      let mapping = try segment.attach()
      try mapping.populate(range)
      let row = rows(of: "/proc/sysvipc/shm").first { $0[1] == "\(segment.id)" }
      #expect(row?[14] == "\(residentBytes)")
    }
  }

  @Test func populatingKeepsWhatIsThere() throws {
    try withSegment(20000) { segment throws in
      let mapping = try segment.attach()
      mapping.bytes[4096] = 9
      try mapping.populate(0..<20000)
      #expect(mapping.bytes[4096] == 9)
      #expect(mapping.bytes[4097] == 0)
    }
  }

  @Test(arguments: [-1..<1, 0..<20001, 20001..<20001])
  func populatingOutsideTheSegmentIsInvalid(range: Range<Int>) throws {
    try withSegment(20000) { segment throws in
      let mapping = try segment.attach()
      #expect(throws: Errno.invalidArgument) { try mapping.populate(range) }
    }
  }
}
