import Glibc
import Leasehold
import LeaseholdHost
import SysV
import SystemPackage

/// The cgroups of this host, as far as they can be seen: a mount of cgroup v2.
struct CgroupTree {
  /// The folder where they are mounted.
  let folder: String
  /// The cgroup that is there, as paths tell it.
  let root: String

  init(folder: String, root: String) { (self.folder, self.root) = (folder, root) }

  /// The one of this process's mounts that shows most; `nil` where there is none.
  init?() {
    guard let mounts = HostFacts.text(of: "/proc/self/mountinfo"), let tree = Self(mounts: mounts) else { return nil }
    self = tree
  }

  /// Reads proc_pid_mountinfo(5); a line is `ID PARENT DEVICE ROOT FOLDER OPTIONS [TAG ...] - TYPE SOURCE OPTIONS`.
  init?(mounts text: [UInt8]) {
    var best: CgroupTree?
    for line in text.split(separator: UInt8(ascii: "\n")) {
      let fields = line.split(separator: UInt8(ascii: " "))
      guard let dash = fields.firstIndex(where: { $0.elementsEqual("-".utf8) }), dash >= 6, dash + 1 < fields.count,
        fields[dash + 1].elementsEqual("cgroup2".utf8)
      else { continue }
      let (root, folder) = (Self.unescaped(fields[3]), Self.unescaped(fields[4]))
      // Beneath another's root lie only parts that this process cannot name.
      guard !root.hasPrefix("/.."), best.map({ root.utf8.count < $0.root.utf8.count }) ?? true else { continue }
      best = CgroupTree(folder: folder, root: root)
    }
    guard let best else { return nil }
    self = best
  }

  /// Bytes of which some stand as a backslash and three octal digits.
  private static func unescaped(_ text: ArraySlice<UInt8>) -> String {
    var bytes: [UInt8] = []
    var rest = text
    while let byte = rest.popFirst() {
      let digits = rest.prefix(3)
      guard byte == UInt8(ascii: "\\"), digits.count == 3, digits.allSatisfy({ 0x30...0x37 ~= $0 }) else {
        bytes.append(byte)
        continue
      }
      bytes.append(digits.reduce(0) { $0 &* 8 &+ ($1 & 7) })
      rest = rest.dropFirst(3)
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// The cgroup of a process as this one sees it, `/` for the root; `nil` without cgroup v2.
  static func path(of pid: Int32) -> String? { HostFacts.text(of: "/proc/\(pid)/cgroup").flatMap(path) }

  /// Reads proc_pid_cgroup(5): the line of cgroup v2 begins with `0::`.
  static func path(in text: [UInt8]) -> String? {
    for line in text.split(separator: UInt8(ascii: "\n")) where line.starts(with: "0::/".utf8) {
      return String(decoding: line.dropFirst(3), as: UTF8.self)
    }
    return nil
  }

  /// True when this process runs in a cgroup, or below it, so that it is never empty.
  static func holdsThisProcess(_ path: String) -> Bool {
    self.path(of: getpid()).map { isPath($0, within: path) } ?? false
  }

  /// True for the path of a cgroup itself, and of one below it.
  static func isPath(_ path: String, within above: String) -> Bool {
    PathRoot.steps(of: path).starts(with: PathRoot.steps(of: above))
  }

  /// True when a process of a user sees cgroups by the same names as this one does.
  ///
  /// A service that is not root may not look at the processes of others, of which one may be in a container.
  static func isShared(with pid: Int32, of uid: UInt32) -> Bool {
    // A kernel without namespaces of cgroups has the same names for all.
    guard let own = HostFile.inode(of: "/proc/self/ns/cgroup") else { return true }
    guard let other = HostFile.inode(of: "/proc/\(pid)/ns/cgroup") else { return uid == HostFacts.uid }
    return own == other
  }

  /// Opens a cgroup by its path; a named one with the rights of a caller.
  ///
  /// - Throws: `noSuchFileOrDirectory` outside of what can be seen and for the root; as `open` and `fstat`.
  func open(_ path: String, for caller: FileCaller) throws(Errno) -> Cgroup {
    guard let rest = rest(of: path) else { throw .noSuchFileOrDirectory }
    let descriptor = Glibc.open(folder, FileDescriptor.justNaming | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { throw Errno(rawValue: errno) }
    let top = FileDescriptor(rawValue: descriptor)
    defer { try? top.close() }
    let root = try FileStatus(top).identity.inode
    var walk = try PathWalk(from: top, caller)
    let found = try walk.open(rest + "/", FileWish(makes: false, touches: false))
    defer { try? found.close() }
    let stamp = ProcessStamp(cgroup: try FileStatus(found).identity.inode, below: root)
    let events = openat(found.rawValue, "cgroup.events", O_RDONLY | O_CLOEXEC)
    guard events >= 0 else { throw Errno(rawValue: errno) }
    return Cgroup(stamp: stamp, events: FileDescriptor(rawValue: events))
  }

  /// True when an error says that there is no such cgroup for the one who asks.
  static func saysUnseen(_ error: Errno) -> Bool {
    let errors: [Errno] = [
      .noSuchFileOrDirectory, .notDirectory, .permissionDenied, .improperLink, .fileNameTooLong,
      .operationNotSupportedByDevice, .tooManySymbolicLinkLevels,
    ]
    return errors.contains(error)
  }

  /// The part of a path below the mount's own root.
  func rest(of path: String) -> String? {
    let own = root == "/" ? "" : root
    guard path.utf8.starts(with: own.utf8) else { return nil }
    let rest = path.utf8.dropFirst(own.utf8.count)
    guard rest.first == UInt8(ascii: "/") || rest.isEmpty, !PathRoot.steps(of: path).contains("..") else { return nil }
    return String(Substring(rest.drop { $0 == UInt8(ascii: "/") }))
  }

  // MARK: After a restart

  /// The fate of a cgroup that is looked for by its id.
  enum Finding: Equatable {
    /// It has this path.
    case at(String)
    /// It was removed.
    case gone
    /// It could not be looked for everywhere.
    case unknown
  }

  /// Looks for cgroups by their ids.
  func find(_ stamps: Set<ProcessStamp>) -> [ProcessStamp: Finding] {
    var findings: [ProcessStamp: Finding] = [:]
    guard case .success(let top) = FileStatus.identity(of: folder) else { return findings }
    var wanted: [UInt64: ProcessStamp] = [:]
    for stamp in stamps where stamp == ProcessStamp(cgroup: stamp.started, below: top.inode) {
      wanted[stamp.started] = stamp
    }
    if let stamp = wanted.removeValue(forKey: top.inode) { findings[stamp] = .at(root) }
    var (ways, isWhole) = ([""], true)
    while !wanted.isEmpty, let way = ways.popLast() {
      let children = Self.folders(in: folder + way)
      if children == nil { isWhole = false }
      for child in children ?? [] {
        let path = way + "/" + child.name
        ways.append(path)
        if let stamp = wanted.removeValue(forKey: child.inode) {
          findings[stamp] = .at((root == "/" ? "" : root) + path)
        }
      }
    }
    for stamp in wanted.values { findings[stamp] = isWhole ? .gone : .unknown }
    return findings
  }

  /// The folders in a folder; `nil` when it cannot be read, none when it is gone.
  private static func folders(in path: String) -> [HostFile.Entry]? {
    let (entries, failure) = HostFile.entries(in: path)
    guard [0, ENOENT, ENODEV].contains(failure) else { return nil }
    return entries.filter { $0.isFolder && $0.name != "." && $0.name != ".." }
  }
}

/// A cgroup that was opened.
///
/// Closes its descriptor when it goes out of scope.
struct Cgroup: ~Copyable, Sendable {
  let stamp: ProcessStamp
  /// The file `cgroup.events`.
  let events: FileDescriptor

  deinit { try? events.close() }

  /// The processes in a cgroup and in all below it.
  enum Population: Equatable {
    case some
    case none
    /// The file could not be read.
    case unknown
  }

  /// Reads the line `populated 0` or `populated 1`; the next change is reported from now on.
  var population: Population {
    withUnsafeTemporaryAllocation(byteCount: 512, alignment: 1) { buffer in
      do {
        let count = try events.read(fromAbsoluteOffset: 0, into: buffer)
        return Self.population(in: buffer[..<count])
      } catch {
        return (error as? Errno) == .operationNotSupportedByDevice ? .none : .unknown
      }
    }
  }

  static func population(in text: some Sequence<UInt8>) -> Population {
    for line in Array(text).split(separator: UInt8(ascii: "\n")) {
      if line.elementsEqual("populated 0".utf8) { return .none }
      if line.elementsEqual("populated 1".utf8) { return .some }
    }
    return .unknown
  }
}
