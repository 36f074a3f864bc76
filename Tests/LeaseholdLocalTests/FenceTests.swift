import Glibc
import SysV
import SystemPackage
import Testing

@testable import Leasehold
@testable import LeaseholdLocal

@Suite struct FenceTests {
  /// A directory that goes with everything in it.
  private func withDirectory<Result>(_ body: (String) throws -> Result) throws -> Result {
    var template = Array("/tmp/leasehold-fence-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw Errno(rawValue: errno) }
    let path = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
    defer {
      for name in ["fence", "fence.new"] { unlink("\(path)/\(name)") }
      rmdir(path)
    }
    return try body(path)
  }

  @Test func theMarkIsReadAsItWasWritten() throws {
    try withDirectory { path in
      let file = FenceFile(directory: path)
      #expect(file.read() == nil)
      for mark in [0, 1, 1_763_800_000_000_000, UInt64.max] {
        try file.write(mark)
        #expect(file.read() == mark)
      }
      #expect(access("\(path)/fence.new", F_OK) != 0)
    }
  }

  @Test(arguments: ["", "abc", "12x", "99999999999999999999999", "-5", "\n7"])
  func aBrokenMarkIsNone(_ text: String) throws {
    try withDirectory { path in
      #expect(writeFile("\(path)/fence", text))
      #expect(FenceFile(directory: path).read() == nil)
    }
  }

  @Test func aDirectoryThatIsNotThereIsAnErrorOfTheWriteAlone() {
    let file = FenceFile(directory: "/nonexistent/leasehold")
    #expect(throws: Errno.noSuchFileOrDirectory) { try file.write(1) }
    #expect(file.read() == nil)
  }

  @Test func fencesGoOnAboveAMarkThatIsAheadOfTheClock() throws {
    try withDirectory { path in
      let ahead: UInt64 = 4_000_000_000_000_000
      try FenceFile(directory: path).write(ahead)
      let scene = Scene()
      scene.options.stateDirectory = path
      let service = try scene.start()
      #expect(try service.take("a").fence == Int64(ahead) + 1)
      #expect(try service.take("b").fence == Int64(ahead) + 2)
      try eventually { FenceFile(directory: path).read() ?? 0 > ahead + FenceFile.ahead / 2 }
    }
  }

  @Test(arguments: [UInt64(Limits.foundFence) + 1, 1 << 53, 1 << 62, 1 << 63, .max])
  func aMarkThatLeavesNoRoomForFencesIsNotBelieved(_ mark: UInt64) throws {
    try withDirectory { path in
      try #require(writeFile("\(path)/fence", "\(mark)\n"))
      let scene = Scene()
      scene.options.stateDirectory = path
      let service = try scene.start()
      #expect(abs(try service.take("a").fence / 1_000_000 - Int64(time(nil))) < 60)
    }
  }

  @Test func aMarkThatIsTheLargestOneIsFollowed() throws {
    try withDirectory { path in
      try #require(writeFile("\(path)/fence", "\(Limits.foundFence)\n"))
      let scene = Scene()
      scene.options.stateDirectory = path
      #expect(try scene.start().take("a").fence == Limits.foundFence + 1)
    }
  }

  @Test func aTableOfFencesThatOthersMayUseIsRefusedAndNumbersOutOfRangeAreNotBelieved() throws {
    let key = IPCKey(rawValue: Scene().key)
    let segment = try SharedMemorySegment.create(key: key, byteCount: 4096, mode: [.ownerReadWrite, .otherReadWrite])
    defer { try? segment.remove() }
    let refused = #expect(throws: LeaseholdError.self) { try FenceTable(key: key).see(5, segment: 7, key: 9) }
    #expect(refused?.detail.contains("ipcrm -M \(key)") == true)
    try segment.setMode(.ownerReadWrite)
    let table = FenceTable(key: key)
    try table.see(5, segment: 7, key: 9)
    let mapping = try segment.attach()
    mapping.bytes.storeBytes(of: Int64.max, toByteOffset: 24, as: Int64.self)
    try table.see(6, segment: 7, key: 9)
    #expect(throws: LeaseholdError.self) { try table.see(5, segment: 7, key: 9) }
  }

  @Test func theMarkIsKeptAheadOfTheFences() throws {
    try withDirectory { path in
      let scene = Scene()
      scene.options.stateDirectory = path
      let service = try scene.start()
      let fence = UInt64(try service.take("a").fence)
      try eventually { FenceFile(directory: path).read() ?? 0 >= fence + FenceFile.ahead / 2 }
      scene.stop(service)
    }
  }

  @Test func fencesGrowOverAllLocksAndAreMicrosecondsOfTheWallClock() throws {
    let scene = Scene()
    let service = try scene.start()
    let fences = try (0..<50).map { try service.take("lock \($0)").fence }
    #expect(zip(fences, fences.dropFirst()).allSatisfy { $0 < $1 })
    #expect(abs(fences[0] / 1_000_000 - Int64(time(nil))) < 60)
    #expect(service.status().lastFence == fences.last)
  }

  @Test func idsAreDistinctAndHaveNoZeroHalves() {
    var pool = RandomPool()
    let ids = (0..<10_000).map { _ in pool.leaseID() }
    #expect(Set(ids).count == ids.count)
    #expect(Set(ids.map(\.ref)).count > 9_990)
    #expect(ids.allSatisfy { $0.high != 0 && $0.low != 0 })
    let bits = ids.reduce(0) { $0 + $1.high.nonzeroBitCount + $1.low.nonzeroBitCount }
    #expect((620_000...660_000).contains(bits))
  }
}
