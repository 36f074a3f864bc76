import Glibc
import HostTestKit
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
      #expect(try file.read() == nil)
      for mark in [0, 1, 1_763_800_000_000_000, FenceFile.largest] {
        try file.write(mark)
        #expect(try file.read() == mark)
      }
      try file.write(.max)
      #expect(try file.read() == FenceFile.largest)
      #expect(access("\(path)/fence.new", F_OK) != 0)
    }
  }

  @Test(arguments: [
    "", "abc", "12x", "99999999999999999999999", "-5", "\n7", "9223372036854775807", "9007199254740993",
  ])
  func aMarkThatIsNoNumberInItsRangeIsRefusedWithItsFile(_ text: String) throws {
    try withDirectory { path in
      #expect(writeFile("\(path)/fence", text))
      #expect(chmod("\(path)/fence", 0o600) == 0)
      let error = #expect(throws: FenceFileError.self) { try FenceFile(directory: path).read() }
      #expect(error?.description.contains("\(path)/fence has '") == true)
      let scene = Scene()
      scene.options.stateDirectory = path
      #expect(throws: LocalServiceError.self) { try scene.start() }
    }
  }

  @Test func aMarkThatOthersMayWriteIsRefused() throws {
    try withDirectory { path in
      try FenceFile(directory: path).write(7)
      for mode in [0o620, 0o602, 0o666] as [mode_t] {
        #expect(chmod("\(path)/fence", mode) == 0)
        let error = #expect(throws: FenceFileError.self) { try FenceFile(directory: path).read() }
        #expect(error == .notOurs(path: "\(path)/fence", owner: getuid(), mode: UInt32(mode)))
      }
    }
  }

  @Test func aFolderInWhichOthersCouldReplaceTheMarkIsRefused() throws {
    try withDirectory { path in
      let file = FenceFile(directory: path)
      #expect(chmod(path, 0o777) == 0)
      let refusal = FenceFileError.openFolder(path: path, owner: getuid(), mode: 0o777)
      #expect(throws: refusal) { try file.read() }
      #expect(throws: refusal) { try file.write(7) }
      // Where only owners may remove what is theirs, as in /tmp.
      #expect(chmod(path, 0o1777) == 0)
      try file.write(7)
      #expect(try file.read() == 7)
    }
  }

  @Test func aDiskThatDoesNotTakeTheMarkForSomeSecondsStalls() throws {
    try withDirectory { path in
      let fences = try FenceKeeper(directory: path, lastFence: 1000) { _ in }
      let now = MonotonicInstant(nanoseconds: 1)
      #expect(try FenceFile(directory: path).read() == 1000 + FenceFile.ahead)
      fences.note(1001, at: now)
      #expect(!fences.isStalled(at: now + .seconds(60)))
      // Nobody has started the thread, so nothing is written.
      fences.note(fences.mark - FenceFile.ahead / 4, at: now)
      fences.note(fences.mark, at: now + .seconds(4))
      #expect(!fences.isStalled(at: now + .seconds(5)) && fences.isStalled(at: now + .seconds(6)))
    }
  }

  @Test(.enabled(if: AnotherUser.isAvailable, "needs root and a second user"))
  func aMarkOfAnotherUserIsRefused() throws {
    try withDirectory { path in
      try FenceFile(directory: path).write(7)
      #expect(chown("\(path)/fence", AnotherUser.id, AnotherUser.id) == 0)
      let error = #expect(throws: FenceFileError.self) { try FenceFile(directory: path).read() }
      #expect(error == .notOurs(path: "\(path)/fence", owner: AnotherUser.id, mode: 0o600))
    }
  }

  @Test func linksFoldersAndFifosAreNotRead() throws {
    try withDirectory { path in
      #expect(writeFile("\(path)/precious", "7"))
      defer { unlink("\(path)/precious") }
      let file = FenceFile(directory: path)
      #expect(symlink("\(path)/precious", "\(path)/fence") == 0)
      #expect(throws: FenceFileError.notAFile(path: "\(path)/fence")) { try file.read() }
      #expect(unlink("\(path)/fence") == 0 && mkfifo("\(path)/fence", 0o600) == 0)
      #expect(throws: FenceFileError.notAFile(path: "\(path)/fence")) { try file.read() }
    }
  }

  @Test func whatLiesWhereTheNewMarkIsWrittenIsReplacedAndALinkIsNotFollowed() throws {
    try withDirectory { path in
      let file = FenceFile(directory: path)
      #expect(writeFile("\(path)/precious", "precious"))
      defer { unlink("\(path)/precious") }
      #expect(symlink("\(path)/precious", "\(path)/fence.new") == 0)
      try file.write(7)
      #expect(try file.read() == 7)
      var status = stat()
      #expect(stat("\(path)/precious", &status) == 0 && status.st_size == 8)
      #expect(writeFile("\(path)/fence.new", "half of a m"))
      try file.write(8)
      #expect(try file.read() == 8)
    }
  }

  @Test func aFolderThatCannotBeWrittenIsAnErrorOfTheStartThatNamesItAndTheRemedy() throws {
    let scene = Scene()
    scene.options.stateDirectory = "/nonexistent/leasehold"
    let error = #expect(throws: LocalServiceError.self) { try scene.start() }
    let said = error?.description ?? ""
    for words in ["/nonexistent/leasehold", "ENOENT", "install -d"] { #expect(said.contains(words), "\(said)") }
    // The guard is free for the next attempt.
    scene.options.stateDirectory = nil
    _ = try scene.start()
  }

  @Test func aLaterFailureIsToldOnceAndCountedAndItsEndToo() throws {
    try withDirectory { path in
      let heard = Heard()
      let scene = Scene()
      scene.options.stateDirectory = path
      scene.options.onFault = { heard.note($0) }
      let service = try scene.start()
      // A folder cannot be replaced by a file.
      #expect(unlink("\(path)/fence") == 0 && mkdir("\(path)/fence", 0o700) == 0)
      _ = try service.take("a")
      try eventually { service.status().ledger.map { $0.stateDirectoryFailures >= 2 } == true }
      #expect(heard.notices.count == 1 && service.status().faults.map(\.part) == [.stateDirectory])
      #expect(service.status().neededFault == nil)
      #expect(rmdir("\(path)/fence") == 0)
      try eventually { heard.notices.last == .ended(.stateDirectory) }
      #expect(heard.notices.count == 2 && service.status().faults.isEmpty)
      scene.stop(service)
    }
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
      try eventually { (try? FenceFile(directory: path).read()) ?? 0 > ahead + FenceFile.ahead / 2 }
    }
  }

  @Test(arguments: [UInt64(Limits.foundFence) + 1, 1 << 53, 1 << 62, 1 << 63, .max])
  func aMarkThatLeavesNoRoomForFencesIsRefusedByItsFile(_ mark: UInt64) throws {
    try withDirectory { path in
      try #require(writeFile("\(path)/fence", "\(mark)\n"))
      let scene = Scene()
      scene.options.stateDirectory = path
      let refused = #expect(throws: LocalServiceError.self) { try scene.start() }
      #expect("\(try #require(refused))".contains("\(path)/fence has '\(mark)'"))
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
      try eventually { (try? FenceFile(directory: path).read()) ?? 0 >= fence + FenceFile.ahead / 2 }
      scene.stop(service)
    }
  }

  @Test func idsAreDistinctAndHaveNoZeroHalves() throws {
    var pool = try RandomPool()
    let ids = (0..<10_000).map { _ in pool.leaseID() }
    #expect(Set(ids).count == ids.count)
    #expect(Set(ids.map(\.ref)).count > 9_990)
    #expect(ids.allSatisfy { $0.high != 0 && $0.low != 0 })
    let bits = ids.reduce(0) { $0 + $1.high.nonzeroBitCount + $1.low.nonzeroBitCount }
    #expect((620_000...660_000).contains(bits))
  }
}
