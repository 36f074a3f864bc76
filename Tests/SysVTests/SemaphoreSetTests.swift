import SysV
import SystemPackage
import Testing

@Suite("A semaphore set")
struct SemaphoreSetTests {
  @Test func aNewSetHasItsCountItsModeAndOnlyZeroes() throws {
    let key = IPCKey.random()
    let set = try SemaphoreSet.create(key: key, count: 3, mode: [.ownerReadWrite, .groupRead])
    defer { try? set.remove() }
    let status = try set.status()
    #expect(status.count == 3)
    #expect(status.permissions.key == key)
    #expect(status.permissions.mode == [.ownerReadWrite, .groupRead])
    #expect(status.operatedAtSeconds == nil)
    #expect(status.changedAtSeconds > 1_700_000_000)
    #expect(try set.values() == [0, 0, 0])
  }

  @Test func aTakenKeyIsRefusedAndFoundAndOpenOrCreateFindsIt() throws {
    let key = IPCKey.random()
    #expect(throws: Errno.noSuchFileOrDirectory) { try SemaphoreSet.open(key: key) }
    let set = try SemaphoreSet.openOrCreate(key: key, count: 2)
    defer { try? set.remove() }
    #expect(throws: Errno.fileExists) { try SemaphoreSet.create(key: key, count: 2) }
    #expect(try SemaphoreSet.open(key: key) == set)
    #expect(try SemaphoreSet.open(key: key, count: 2, mode: .ownerReadWrite) == set)
    #expect(try SemaphoreSet.openOrCreate(key: key, count: 1) == set)
    #expect(throws: Errno.invalidArgument) { try SemaphoreSet.open(key: key, count: 3) }
  }

  @Test func thePrivateKeyOpensNothingAndMakesNothing() throws {
    #expect(throws: Errno.noSuchFileOrDirectory) { try SemaphoreSet.open(key: .private) }
  }

  @Test(arguments: [0, -1, 32001, Int.max])
  func aCountThatTheKernelDoesNotAllowIsInvalid(count: Int) throws {
    #expect(throws: Errno.invalidArgument) { try SemaphoreSet.create(count: count).remove() }
  }

  @Test func valuesAreSetAndReadOneByOneAndTogether() throws {
    try withSet(3) { set throws in
      try set.setValues([1, 2, 32767])
      #expect(try set.values() == [1, 2, 32767])
      try set.setValue(7, of: 1)
      #expect(try set.value(of: 1) == 7)
      #expect(try set.values() == [1, 7, 32767])
      #expect(try set.status().operatedAtSeconds == nil)
    }
  }

  @Test func valuesAboveTheLimitAreOutOfRangeAndChangeNothing() throws {
    try withSet(2, [1, 2]) { set throws in
      #expect(throws: Errno.outOfRange) { try set.setValue(32768, of: 0) }
      #expect(throws: Errno.outOfRange) { try set.setValues([5, 32768]) }
      #expect(try set.values() == [1, 2])
    }
  }

  @Test(arguments: [[], [1], [1, 2, 3]] as [[UInt16]])
  func aWrongNumberOfValuesIsInvalidAndChangesNothing(values: [UInt16]) throws {
    try withSet(2, [8, 9]) { set throws in
      #expect(throws: Errno.invalidArgument) { try set.setValues(values) }
      #expect(try set.values() == [8, 9])
    }
  }

  @Test(arguments: [-1, 2, Int.max])
  func aSemaphoreThatTheSetDoesNotHaveIsInvalid(semaphore: Int) throws {
    try withSet(2) { set throws in
      #expect(throws: Errno.invalidArgument) { try set.value(of: semaphore) }
      #expect(throws: Errno.invalidArgument) { try set.setValue(0, of: semaphore) }
      #expect(throws: Errno.invalidArgument) { try set.lastProcessID(of: semaphore) }
      #expect(throws: Errno.invalidArgument) { try set.waiterCount(of: semaphore) }
      #expect(throws: Errno.invalidArgument) { try set.zeroWaiterCount(of: semaphore) }
    }
  }

  @Test func valuesAreReadAndWrittenThroughTheCallersMemory() throws {
    try withSet(2) { set throws in
      let written: [UInt16] = [3, 4]
      #expect(written.withUnsafeBufferPointer { set.writeValues(unchecked: $0) } == nil)
      var read: [UInt16] = [0, 0]
      #expect(read.withUnsafeMutableBufferPointer { set.readValues(unchecked: $0) } == nil)
      #expect(read == written)
    }
  }

  @Test func permissionsAreSetAndKeyAndCreatorStay() throws {
    try withSet { set throws in
      let before = try set.status().permissions
      try set.setMode([.ownerReadWrite, .otherRead])
      let after = try set.status().permissions
      #expect(after.mode == [.ownerReadWrite, .otherRead])
      #expect((after.owner, after.group, after.creator) == (before.owner, before.group, before.creator))
      #expect(after.key == before.key)
    }
  }

  @Test func aSetThatIsGoneIsInvalid() throws {
    let set = try SemaphoreSet.create(count: 1)
    try set.remove()
    #expect(throws: Errno.invalidArgument) { try set.remove() }
    #expect(throws: Errno.invalidArgument) { try set.status() }
    #expect(throws: Errno.invalidArgument) { try set.values() }
    #expect(throws: Errno.invalidArgument) { try set.operate([.add(1, to: 0)]) }
  }
}
