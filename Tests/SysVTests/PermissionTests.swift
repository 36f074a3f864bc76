import HostTestKit
import SysV
import SystemPackage
import Testing

@Suite("Another user", .enabled(if: AnotherUser.isAvailable, "needs root and a second user"))
struct PermissionTests {
  /// What the body throws when another user runs it.
  private func errno(_ body: @escaping @Sendable () throws(Errno) -> Void) -> Errno? {
    let result = AnotherUser.run { () -> Errno? in
      do throws(Errno) {
        try body()
        return nil
      } catch {
        return error
      }
    }
    return result ?? .noFunction
  }

  @Test func mayNeitherReadNorChangeASetOf0600() throws {
    try withSet(1, [1]) { set throws in
      #expect(errno { () throws(Errno) in _ = try set.status() } == .permissionDenied)
      #expect(errno { () throws(Errno) in _ = try set.value(of: 0) } == .permissionDenied)
      #expect(errno { () throws(Errno) in _ = try set.waiterCount(of: 0) } == .permissionDenied)
      #expect(errno { () throws(Errno) in try set.setValue(1, of: 0) } == .permissionDenied)
      #expect(errno { () throws(Errno) in try set.operate([.add(1, to: 0)]) } == .permissionDenied)
      #expect(errno { () throws(Errno) in try set.remove() } == .notPermitted)
      #expect(try set.value(of: 0) == 1)
    }
  }

  @Test func mayOnlyLookWithReadPermission() throws {
    try withSet(1, [0]) { set throws in
      try set.setMode([.ownerReadWrite, .otherRead])
      #expect(errno { () throws(Errno) in _ = try set.values() } == nil)
      #expect(errno { () throws(Errno) in try set.operate([.wait(forZero: 0, .nowait)]) } == nil)
      #expect(errno { () throws(Errno) in try set.operate([.add(1, to: 0)]) } == .permissionDenied)
      #expect(errno { () throws(Errno) in try set.setValues([1]) } == .permissionDenied)
    }
  }

  @Test func mayOnlyChangeWithWritePermission() throws {
    try withSet(1, [0]) { set throws in
      try set.setMode([.ownerReadWrite, .otherWrite])
      #expect(errno { () throws(Errno) in try set.operate([.add(1, to: 0)]) } == nil)
      #expect(errno { () throws(Errno) in try set.setValues([1]) } == .permissionDenied)
      let written = AnotherUser.run { ([4] as [UInt16]).withUnsafeBufferPointer { set.writeValues(unchecked: $0) } }
      #expect(written == .some(nil))
      #expect(try set.values() == [4])
    }
  }

  @Test func ownsWhatIsGivenToIt() throws {
    try withSet { set throws in
      var permissions = try set.status().permissions
      permissions.owner = AnotherUser.id
      permissions.group = 4242
      try set.setPermissions(permissions)
      let after = try set.status().permissions
      #expect((after.owner, after.group, after.creator) == (AnotherUser.id, 4242, permissions.creator))
      #expect(errno { () throws(Errno) in try set.setMode(.ownerRead) } == nil)
      #expect(try set.status().permissions.mode == .ownerRead)
    }
  }

  @Test func seesEverySetAndSegmentWhateverItsMode() throws {
    try withSet { set throws in
      try withSegment { segment throws in
        let sets = AnotherUser.run { try? IPCInventory.semaphoreSets().map(\.set) }
        let segments = AnotherUser.run { try? IPCInventory.sharedMemorySegments().map(\.segment) }
        #expect(sets??.contains(set) == true)
        #expect(segments??.contains(segment) == true)
      }
    }
  }

  @Test func mayAttachASegmentOnlyAsItsModeSays() throws {
    try withSegment { segment throws in
      #expect(errno { () throws(Errno) in try segment.attach(.readOnly).detach() } == .permissionDenied)
      try segment.setMode([.ownerReadWrite, .otherRead])
      #expect(errno { () throws(Errno) in try segment.attach(.readOnly).detach() } == nil)
      #expect(errno { () throws(Errno) in try segment.attach(.readWrite).detach() } == .permissionDenied)
      #expect(errno { () throws(Errno) in try segment.remove() } == .notPermitted)
      #expect(errno { () throws(Errno) in try segment.lock() } == .notPermitted)
    }
  }
}
