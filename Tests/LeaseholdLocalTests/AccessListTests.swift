import Glibc
import HostTestKit
import LeaseholdTestKit
import SysV
import SystemPackage
import Testing

@testable import LeaseholdLocal

/// What the attribute `system.posix_acl_access` holds.
private func attribute(_ entries: [(tag: UInt16, rights: UInt16, id: UInt32)]) -> [UInt8] {
  func bytes(_ number: some FixedWidthInteger) -> [UInt8] { withUnsafeBytes(of: number.littleEndian) { Array($0) } }
  return bytes(UInt32(2)) + entries.flatMap { bytes($0.tag) + bytes($0.rights) + bytes($0.id) }
}

@Suite struct AccessListTests {
  @Test func anythingButEntriesIsNoList() {
    let list = attribute([(1, 7, 0)])
    #expect(AccessList(list) != nil && AccessList(Array(attribute([]))) != nil)
    #expect(AccessList([]) == nil && AccessList(list.dropLast(1).map { $0 }) == nil)
    #expect(AccessList([3] + list.dropFirst()) == nil && AccessList(attribute([(3, 7, 0)])) == nil)
  }

  @Test func whoIsInNoEntryHasNothing() throws {
    let list = try #require(AccessList(attribute([])))
    #expect(!list.lets(user: 1, groups: [1], owningGroup: 1, 1))
  }

  @Test func anEntryForTheUserDecidesAloneWithinTheMask() throws {
    let list = try #require(AccessList(attribute([(2, 7, 10), (4, 7, 0), (8, 7, 20), (16, 5, 0), (32, 7, 0)])))
    #expect(list.lets(user: 10, groups: [1], owningGroup: 1, 5) && !list.lets(user: 10, groups: [1], owningGroup: 1, 2))
    #expect(list.lets(user: 11, groups: [20], owningGroup: 1, 1))
    #expect(!list.lets(user: 11, groups: [20], owningGroup: 1, 2), "the mask")
    #expect(list.lets(user: 11, groups: [21], owningGroup: 1, 7), "everybody's is not masked")
  }
}

/// Against what the kernel lets that user do.
@Suite(.enabled(if: AnotherUser.isAvailable, "needs root")) struct AccessListOfFilesTests {
  private typealias SetAttribute =
    @convention(c) (
      UnsafePointer<CChar>, UnsafePointer<CChar>, UnsafeRawPointer, Int, CInt
    ) -> CInt

  private func write(_ list: [UInt8], to path: String) -> Bool {
    guard let symbol = dlsym(nil, "setxattr") else { return false }
    return unsafeBitCast(symbol, to: SetAttribute.self)(path, "system.posix_acl_access", list, list.count, 0) == 0
  }

  @Test func theRightsAreThoseThatTheKernelGives() throws {
    var template = Array("/tmp/leasehold-acl-XXXXXX".utf8CString)
    let file = mkstemp(&template)
    let path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    defer {
      unlink(path)
      close(file)
    }
    let seed = UInt64.random(in: .min ... .max)
    var random = SeededRandom(seed: seed)
    let user = FileIdentity(user: 4242, group: 4243, groups: [4244, 4245])
    var answers: Set<Bool> = []
    for _ in 0..<300 {
      let some = { (random: inout SeededRandom) in UInt16.random(in: 0...7, using: &random) }
      func pick(_ from: [UInt32]) -> [UInt32] { from.filter { _ in Bool.random(using: &random) } }
      let (users, groups) = (pick([1, 4242]), pick([2, 4243, 4244, 4245]))
      var entries: [(UInt16, UInt16, UInt32)] = [(1, some(&random), .max)]
      for id in users { entries.append((2, some(&random), id)) }
      entries.append((4, some(&random), .max))
      for id in groups { entries.append((8, some(&random), id)) }
      if !users.isEmpty || !groups.isEmpty || Bool.random(using: &random) { entries.append((16, some(&random), .max)) }
      entries.append((32, some(&random), .max))
      chown(path, [1, 4242].randomElement(using: &random) ?? 1, [3, 4243, 4245].randomElement(using: &random) ?? 3)
      guard write(attribute(entries), to: path) else { return }  // no lists on this file system
      for (rights, flags) in [(4, O_RDONLY), (2, O_WRONLY), (6, O_RDWR)] as [(UInt32, CInt)] {
        let opened = try #require(user.act { () throws(Errno) in Glibc.open(path, flags | O_CLOEXEC) })
        if opened >= 0 { close(opened) }
        let named = FileDescriptor(rawValue: Glibc.open(path, FileDescriptor.justNaming | O_CLOEXEC))
        defer { try? named.close() }
        let lets = try FileStatus(named).lets(.user(user), rights)
        #expect(lets == (opened >= 0), "\(entries) \(rights), seed \(seed)")
        answers.insert(lets)
      }
    }
    #expect(answers.count == 2)
  }
}
