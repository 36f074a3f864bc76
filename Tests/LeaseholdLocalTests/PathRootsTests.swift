import Glibc
import HostTestKit
import LeaseholdHost
import Synchronization
import SysV
import SystemPackage
import Testing

@testable import Leasehold
@testable import LeaseholdLocal

/// A folder with the root `in` and beside it `out`, which goes with the test.
private final class Place: Sendable {
  let path: String

  init() throws {
    var template = Array("/tmp/leasehold-paths-XXXXXX".utf8CString)
    path = try #require(mkdtemp(&template).map { String(cString: $0) })
    chmod(path, 0o755)
    for folder in ["in", "out"] { mkdir("\(path)/\(folder)", 0o777) }
    chmod(inside, 0o777)
  }

  deinit { _ = try? shell("chmod -R u+rwx '\(path)'; rm -rf '\(path)'") }

  var inside: String { path + "/in" }
  var outside: String { path + "/out" }

  private func shell(_ command: String) throws { _ = command.withCString { system($0) } }

  func exists(_ name: String) -> Bool {
    var status = stat()
    return lstat("\(path)/\(name)", &status) == 0
  }

  func owner(_ name: String) -> UInt32? {
    var status = stat()
    return lstat("\(path)/\(name)", &status) == 0 ? status.st_uid : nil
  }

  func write(_ name: String) { close(open("\(path)/\(name)", O_CREAT | O_WRONLY, 0o644)) }

  /// What a request for the file gets; `nil` for a key.
  func refusal(
    _ name: String, creating: Bool = true, for caller: FileCaller = .service, usesOpenat2: Bool = true
  ) -> BindFailure? {
    do {
      _ = try key(name, creating: creating, for: caller, usesOpenat2: usesOpenat2)
      return nil
    } catch {
      return error
    }
  }

  func key(
    _ name: String, creating: Bool = true, for caller: FileCaller = .service, usesOpenat2: Bool = true
  ) throws(BindFailure) -> IPCKey {
    try PathRoots([inside], usesOpenat2: usesOpenat2).key(
      of: name.hasPrefix("/") ? name : "\(path)/\(name)", project: 7, creating: creating, touching: true, for: caller)
  }

  var notAllowed: BindFailure { .pathNotAllowed(roots: inside) }
}

private let nobody = FileCaller(.local(pid: 1, uid: AnotherUser.id, gid: AnotherUser.id), groups: [])

private final class Swapping: Sendable {
  private let flag = Atomic(false)
  var isRaised: Bool { flag.load(ordering: .relaxed) }
  func raise() { flag.store(true, ordering: .relaxed) }
}

@Suite struct PathRootsTests {
  @Test(arguments: [true, false])
  func aFileIsMadeAndItsKeyIsThatOfOtherPrograms(_ usesOpenat2: Bool) throws {
    let place = try Place()
    let key = try place.key("in/a", usesOpenat2: usesOpenat2)
    #expect(key == (try IPCKey.fileToken(path: FilePath(place.inside + "/a"), project: 7)))
    #expect(try place.key("in/./a", creating: false, usesOpenat2: usesOpenat2) == key)
    #expect(place.refusal("in/b", creating: false, usesOpenat2: usesOpenat2) == .noPath(errno: "ENOENT"))
    #expect(!place.exists("in/b"))
  }

  @Test(arguments: [true, false])
  func nothingLeadsOutOfTheRoot(_ usesOpenat2: Bool) throws {
    let place = try Place()
    mkdir(place.inside + "/deep", 0o777)
    symlink("../out", place.inside + "/relative")
    symlink(place.outside, place.inside + "/absolute")
    symlink("../out/new", place.inside + "/dangling")
    let ways = [
      "in/../out/f", "in/deep/../../out/f", "in/relative/f", "in/absolute/f", "in/dangling", "out/f", "in", "in/.",
      "in/deep/..", "f", "/etc/passwd", "/", "in/../\u{301}f", "in/deep/../../out/\u{301}f",
    ]
    for way in ways {
      let refusal = try #require(place.refusal(way, usesOpenat2: usesOpenat2), "\(way) was let in")
      // Without openat2 no link is followed, wherever it leads.
      let isLink = way.contains("absolute") || way.contains("relative") || way.contains("dangling")
      let isRefused = refusal == place.notAllowed || (!usesOpenat2 && isLink && refusal == .pathDenied(errno: "ELOOP"))
      #expect(isRefused, "\(way): \(refusal)")
    }
    let made = ["out/f", "out/new", "\u{301}f", "out/\u{301}f"].filter(place.exists)
    #expect(made.isEmpty, "a slash before a combining mark is a slash")
  }

  @Test func linksThatStayBeneathAreFollowedAndSoIsALinkToTheRoot() throws {
    let place = try Place()
    mkdir(place.inside + "/deep", 0o777)
    symlink("deep", place.inside + "/link")
    symlink("../in", place.outside + "/back")
    let key = try place.key("in/deep/f")
    #expect(try place.key("in/link/f") == key)
    #expect(try place.key("out/back/deep/f") == key)
    #expect(try place.key("out/../in/deep/f") == key)
  }

  /// A fold that is a folder at one moment and a link that leads out at the next, as often as the other thread can.
  @Test(arguments: [true, false])
  func whoSwapsAFolderForALinkGetsNothingOutside(_ usesOpenat2: Bool) throws {
    let place = try Place()
    let fold = place.inside + "/fold"
    mkdir(place.inside + "/real", 0o777)
    mkdir(fold, 0o777)
    symlink("../out", place.inside + "/link")
    let (spare, link) = (place.inside + "/real/spare", place.inside + "/link")
    let isOver = Swapping()
    let swapper = HostThread { [fold] in
      while !isOver.isRaised {
        for (from, to) in [(fold, spare), (link, fold), (fold, link), (spare, fold)] { rename(from, to) }
      }
    }
    let rounds = (0..<2000).filter { place.refusal("in/fold/f\($0)", usesOpenat2: usesOpenat2) == nil }
    isOver.raise()
    swapper?.join()
    #expect((0..<2000).filter { place.exists("out/f\($0)") } == [])
    #expect(!rounds.isEmpty, "the folder was never there")
  }

  @Test(arguments: [true, false])
  func onlyTheNumberOfWhatIsThereCountsWhateverItIs(_ usesOpenat2: Bool) throws {
    let place = try Place()
    mkfifo(place.inside + "/fifo", 0o666)
    mkdir(place.inside + "/folder", 0o777)
    if geteuid() == 0 { mknod(place.inside + "/device", S_IFCHR | 0o666, 10 << 8 | 130) }
    for name in ["fifo", "folder", "device"] where place.exists("in/\(name)") {
      let key = try place.key("in/\(name)", usesOpenat2: usesOpenat2)
      #expect(key == (try IPCKey.fileToken(path: FilePath("\(place.inside)/\(name)"), project: 7)))
    }
    #expect(place.refusal("in/fifo/f", usesOpenat2: usesOpenat2) == .noPath(errno: "ENOTDIR"))
  }

  @Test(.enabled(if: PathRoot.kernelHasOpenat2)) func wantOfMemoryIsNotTakenForAMissingFile() throws {
    let place = try Place()
    place.write("in/f")
    for error in [Errno.noMemory, .tooManyOpenFiles] {
      let refusal = ForcedErrno.$current.withValue(ForcedErrno(.openat2, error)) { place.refusal("in/f") }
      #expect(refusal == .kernel(KernelFailure(error.known)))
    }
    #expect(place.refusal("in/f") == nil)
  }

  @Test func aRootThatComesLaterIsFound() throws {
    let place = try Place()
    let roots = PathRoots([place.path + "/later"])
    func key() throws(BindFailure) -> IPCKey {
      try roots.key(of: place.path + "/later/f", project: 1, creating: true, touching: true, for: .service)
    }
    #expect(throws: BindFailure.pathNotAllowed(roots: place.path + "/later")) { try key() }
    mkdir(place.path + "/later", 0o777)
    let first = try key()
    rename(place.path + "/later", place.path + "/before")
    mkdir(place.path + "/later", 0o777)
    // Held by its descriptor: the new folder of that name is not the one that was configured.
    #expect(throws: BindFailure.self) { try key() }
    rename(place.path + "/before", place.path + "/gone")
    unlink(place.path + "/gone/f")
    rmdir(place.path + "/gone")
    _ = first
    #expect(throws: Never.self) { try key() }
  }
}

@Suite(.enabled(if: AnotherUser.isAvailable, "needs root")) struct PathRightsTests {
  @Test func rootMakesAFileWithTheRightsOfWhoAsks() throws {
    let place = try Place()
    #expect(place.refusal("in/theirs", for: nobody) == nil)
    #expect(place.owner("in/theirs") == AnotherUser.id)
    #expect(place.refusal("in/ours") == nil)
    #expect(place.owner("in/ours") == 0)
    // Reaching is enough for a file that is there: only its number counts.
    #expect(place.refusal("in/ours", for: nobody) == nil)
    #expect(geteuid() == 0)
    #expect(place.refusal("in/again") == nil)
    #expect(place.owner("in/again") == 0)
  }

  /// Both as root, with that user's rights, and as a third user who goes by owners and modes.
  @Test(arguments: [false, true])
  func whoMayNotSearchAFolderIsNotToldWhatIsInIt(_ isRoot: Bool) throws {
    let place = try Place()
    mkdir(place.inside + "/private", 0o700)
    mkdir(place.inside + "/closed", 0o755)
    for name in ["in/private/f", "in/closed/f"] { place.write(name) }
    let third = FileCaller.user(FileIdentity(user: 4242, group: 4242, groups: []))
    let look = { @Sendable () -> [BindFailure?] in
      let caller = isRoot ? nobody : third
      return ["in/private/f", "in/private/g", "in/private/no/f", "in/closed/g", "in/closed/f"].map {
        place.refusal($0, for: caller)
      }
    }
    if !isRoot { chmod(place.inside + "/private", 0o750) }
    if !isRoot { chown(place.inside + "/private", AnotherUser.id, AnotherUser.id) }
    let found = isRoot ? look() : AnotherUser.run(look)
    let denied = BindFailure.pathDenied(errno: "EACCES")
    #expect(found == [denied, denied, denied, denied, nil])
    #expect(!place.exists("in/private/g") && !place.exists("in/closed/g"))
  }

  @Test func groupsCount() throws {
    let place = try Place()
    mkdir(place.inside + "/group", 0o770)
    chown(place.inside + "/group", 0, 4242)
    chmod(place.inside + "/group", 0o770)
    let member = FileCaller(.local(pid: 1, uid: AnotherUser.id, gid: AnotherUser.id), groups: [1, 4242])
    #expect(place.refusal("in/group/f", for: nobody) == .pathDenied(errno: "EACCES"))
    #expect(place.refusal("in/group/f", for: member) == nil)
    #expect(place.refusal("in/group/g", for: nobody) == .pathDenied(errno: "EACCES"))
  }

  @Test func thePathToTheRootMustBeOpenToo() throws {
    let place = try Place()
    chmod(place.path, 0o700)
    #expect(place.refusal("in/f", for: nobody) == .pathDenied(errno: "EACCES"))
    #expect(place.refusal("in/f") == nil)
  }
}
