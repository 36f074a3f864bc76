import Glibc
import SystemPackage
import Testing

@testable import Leasehold
@testable import LeaseholdLocal

/// A folder that stands for a mount of cgroup v2, which goes with the test.
private final class Mount: Sendable {
  let path: String
  let tree: CgroupTree

  init(root: String = "/") throws {
    var template = Array("/tmp/leasehold-cgroups-XXXXXX".utf8CString)
    path = try #require(mkdtemp(&template).map { String(cString: $0) })
    chmod(path, 0o755)
    tree = CgroupTree(folder: path, root: root)
  }

  deinit { _ = "rm -rf '\(path)'".withCString { system($0) } }

  func make(_ cgroup: String, _ events: String = "populated 1\nfrozen 0\n") {
    mkdir("\(path)/\(cgroup)", 0o755)
    let file = open("\(path)/\(cgroup)/cgroup.events", O_CREAT | O_WRONLY, 0o644)
    _ = events.withCString { write(file, $0, strlen($0)) }
    close(file)
  }

  func stamp(_ cgroup: String) throws -> ProcessStamp {
    try tree.open(cgroup, for: .service).stamp
  }
}

@Suite struct CgroupTests {
  private static let mounts = """
    22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
    30 22 0:26 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu
    31 22 0:27 /docker/1 /some\\040where rw - cgroup2 cgroup2 rw
    32 22 0:27 /.. /above rw - cgroup2 cgroup2 rw
    33 22 0:27 / /sys/fs/cgroup rw,nosuid shared:9 master:1 - cgroup2 cgroup2 rw,nsdelegate
    """

  @Test func theMountThatShowsMostIsFound() throws {
    let whole = try #require(CgroupTree(mounts: Array(Self.mounts.utf8)))
    #expect(whole.folder == "/sys/fs/cgroup" && whole.root == "/")
    let lines = Self.mounts.split(separator: "\n").prefix(4).joined(separator: "\n")
    let docker = try #require(CgroupTree(mounts: Array(lines.utf8)))
    #expect(docker.folder == "/some where" && docker.root == "/docker/1")
    #expect(docker.rest(of: "/docker/1/app") == "app" && docker.rest(of: "/docker/1") == "")
    #expect(docker.rest(of: "/docker/12") == nil && docker.rest(of: "/other") == nil)
    #expect(docker.rest(of: "/docker/1/../2") == nil)
  }

  @Test(arguments: ["", "\n", "a b c d e f - cgroup2", "1 2 3 /", "1 2 3 / /x - tmpfs x rw", "- cgroup2 x rw"])
  func whatTellsOfNoMountIsNone(text: String) {
    #expect(CgroupTree(mounts: Array(text.utf8))?.folder != "" && CgroupTree(mounts: Array(text.utf8))?.root != "")
    if !text.contains("cgroup2") { #expect(CgroupTree(mounts: Array(text.utf8)) == nil) }
  }

  @Test func rubbishOfTheKernelsFilesIsNeverMoreThanNothing() {
    var random = SystemRandomNumberGenerator()
    for _ in 0..<500 {
      let text = (0..<Int.random(in: 0...200, using: &random)).map { _ in
        [UInt8](" \n/-\\0123a:".utf8).randomElement(using: &random) ?? 0
      }
      _ = CgroupTree(mounts: text)
      #expect(CgroupTree.path(in: text)?.hasPrefix("/") != false)
      #expect(Cgroup.population(in: text) == .unknown)
    }
  }

  @Test func theLineOfTheSecondVersionTellsThePath() {
    #expect(CgroupTree.path(in: Array("9:name=systemd:/x\n0::/a b/c\n".utf8)) == "/a b/c")
    #expect(CgroupTree.path(in: Array("9:name=systemd:/x\n".utf8)) == nil)
    #expect(Cgroup.population(in: Array("frozen 0\npopulated 0\n".utf8)) == .none)
    #expect(Cgroup.population(in: Array("populated 1\nfrozen 1\n".utf8)) == .some)
  }

  @Test func aCgroupIsWithinItselfAndThoseAboveIt() {
    for above in ["/a/b", "/a/b/", "//a//b", "/a", "/"] { #expect(CgroupTree.isPath("/a/b", within: above)) }
    for other in ["/a/b/c", "/a/bc", "/b", "/a/c"] { #expect(!CgroupTree.isPath("/a/b", within: other)) }
    #expect(CgroupTree.path(of: getpid()).map(CgroupTree.holdsThisProcess) != false)
    #expect(!CgroupTree.holdsThisProcess("/leasehold-none"))
  }

  @Test func theNamesOfAnotherUserThatCannotBeLookedAtAreNotShared() {
    let own = geteuid()
    #expect(CgroupTree.isShared(with: getpid(), of: own) && CgroupTree.isShared(with: getpid(), of: own &+ 1))
    // No process has this number, which is above the kernel's largest.
    #expect(CgroupTree.isShared(with: .max, of: own) && !CgroupTree.isShared(with: .max, of: own &+ 1))
  }

  @Test func aCgroupIsOpenedByItsPathAndToldByItsInode() throws {
    let mount = try Mount(root: "/docker/1")
    mount.make("app")
    mount.make("empty", "populated 0\n")
    #expect(try mount.tree.open("/docker/1/app", for: .service).population == .some)
    #expect(try mount.tree.open("/docker/1/empty", for: .service).population == .none)
    #expect(try mount.stamp("/docker/1/app") != mount.stamp("/docker/1/empty"))
    #expect(try mount.stamp("/docker/1/app").isFindable)
    for path in ["/app", "/docker/1/none", "/docker/1", "/docker/1/../1/app"] {
      #expect(throws: Errno.noSuchFileOrDirectory) { try mount.stamp(path) }
    }
  }

  @Test func aWalkFindsCgroupsByTheirIdsAndTellsWhichAreGone() throws {
    let mount = try Mount()
    for cgroup in ["a", "a/b", "c", "d"] { mount.make(cgroup) }
    let (below, gone) = (try mount.stamp("/a/b"), try mount.stamp("/d"))
    _ = "rm -r '\(mount.path)/d'".withCString { system($0) }
    // What is made now may get the folder's number: these are no cgroups.
    var elsewhere = below
    elsewhere.namespace &+= 1
    let found = mount.tree.find([below, gone, elsewhere])
    #expect(found[below] == .at("/a/b") && found[gone] == .gone && found[elsewhere] == nil)
  }

  @Test(.enabled(if: getuid() != 0, "root reads every folder"))
  func whatCannotBeReadMayHideOne() throws {
    let mount = try Mount()
    mount.make("a")
    mount.make("a/b")
    let below = try mount.stamp("/a/b")
    chmod("\(mount.path)/a", 0)
    #expect(mount.tree.find([below]) == [below: .unknown])
    chmod("\(mount.path)/a", 0o755)
  }
}
