import SysV
import SystemPackage
import Testing

// Other tests make and remove sets meanwhile: what is compared exactly is what this test made.
@Suite("The inventory")
struct InventoryTests {
  @Test func agreesWithProcAboutASet() throws {
    let key = IPCKey.random()
    let set = try SemaphoreSet.create(key: key, count: 5, mode: [.ownerRead, .otherWrite])
    defer { try? set.remove() }
    try set.operate([.add(1, to: 4)])
    let entry = try #require(try IPCInventory.semaphoreSets().first { $0.set == set })
    let row = try #require(rows(of: "/proc/sysvipc/sem").first { $0[1] == "\(set.id)" })
    let status = entry.status
    let permissions = status.permissions
    #expect(permissions.key == key)
    let told: [any CustomStringConvertible] = [
      permissions.key.rawValue, entry.id, String(permissions.mode.rawValue, radix: 8), status.count,
      permissions.owner, permissions.group, permissions.creator, permissions.creatorGroup,
      status.operatedAtSeconds ?? 0, status.changedAtSeconds,
    ]
    #expect(told.map(\.description) == row)
    #expect(try set.status() == status)
  }

  @Test func agreesWithProcAboutASegment() throws {
    let key = IPCKey.random()
    let segment = try SharedMemorySegment.create(key: key, byteCount: 12345, mode: .ownerReadWrite)
    defer { try? segment.remove() }
    let mapping = try segment.attach()
    let entry = try #require(try IPCInventory.sharedMemorySegments().first { $0.segment == segment })
    let row = try #require(rows(of: "/proc/sysvipc/shm").first { $0[1] == "\(segment.id)" })
    let status = entry.status
    let permissions = status.permissions
    let told: [any CustomStringConvertible] = [
      permissions.key.rawValue, entry.id, String(permissions.mode.rawValue, radix: 8), status.byteCount,
      status.creatorProcessID, status.lastProcessID, status.attachCount,
      permissions.owner, permissions.group, permissions.creator, permissions.creatorGroup,
      status.attachedAtSeconds ?? 0, status.detachedAtSeconds ?? 0, status.changedAtSeconds,
    ]
    #expect(told.map(\.description) == Array(row.prefix(14)))
    #expect(try segment.status() == status)
    try mapping.detach()
  }

  @Test func hasEverySetThatProcHasBeforeAndAfter() throws {
    let made = try (0..<40).map { _ throws in try SemaphoreSet.create(count: 1) }
    defer { for set in made { try? set.remove() } }
    let before = rows(of: "/proc/sysvipc/sem").map { $0[1] }
    let listed = try IPCInventory.semaphoreSets().map { "\($0.id)" }
    let after = rows(of: "/proc/sysvipc/sem").map { $0[1] }
    #expect(Set(before).intersection(after).isSubset(of: listed))
    #expect(Set(made.map { "\($0.id)" }).isSubset(of: listed))
    #expect(Set(listed).count == listed.count)
  }

  @Test func forgetsASetThatIsRemoved() throws {
    let sets = try (0..<3).map { _ throws in try SemaphoreSet.create(count: 1) }
    try sets[1].remove()
    let listed = try Set(IPCInventory.semaphoreSets().map(\.set))
    #expect(listed.contains(sets[0]) && !listed.contains(sets[1]) && listed.contains(sets[2]))
    try sets[0].remove()
    try sets[2].remove()
  }

  @Test func agreesWithIpcs() throws {
    let key = IPCKey.random()
    let set = try SemaphoreSet.create(key: key, count: 7, mode: .ownerReadWrite)
    defer { try? set.remove() }
    let entry = try #require(try IPCInventory.semaphoreSets().first { $0.set == set })
    let words = shell("ipcs -s").output.split(separator: "\n").map { $0.split(separator: " ").map(String.init) }
    let row = try #require(words.first { $0.count > 4 && $0[1] == "\(set.id)" })
    #expect(row[0] == entry.status.permissions.key.hexadecimal)
    #expect(row[4] == "\(entry.status.count)")
  }

  @Test func countsWhatIsInUse() throws {
    try withSet(9) { _ throws in
      let semaphores = try SemaphoreUsage.current()
      #expect(semaphores.sets >= 1 && semaphores.semaphores >= 9 && semaphores.highestIndex + 1 >= semaphores.sets)
    }
    try withSegment(3 * 4096) { segment throws in
      let mapping = try segment.attach()
      try mapping.populate(0..<(3 * 4096))
      let memory = try SharedMemoryUsage.current()
      #expect(memory.segments >= 1 && memory.pages >= 3 && memory.residentPages + memory.swappedPages >= 3)
    }
  }
}

@Suite("The kernel's limits")
struct KernelLimitsTests {
  @Test func agreeWithProc() throws {
    let (semaphores, sharedMemory) = (try SemaphoreLimits.current(), try SharedMemoryLimits.current())
    let told = [semaphores.semaphoresPerSet, semaphores.semaphores, semaphores.operationsPerCall, semaphores.sets]
    #expect(told.map { UInt($0) } == numbers(in: "/proc/sys/kernel/sem"))
    #expect(semaphores.valueMax == 32767)
    #expect(semaphores.undoMax == 32767)
    #expect([sharedMemory.byteCountMax] == numbers(in: "/proc/sys/kernel/shmmax"))
    #expect([sharedMemory.pages] == numbers(in: "/proc/sys/kernel/shmall"))
    #expect([UInt(sharedMemory.segments)] == numbers(in: "/proc/sys/kernel/shmmni"))
    #expect(sharedMemory.byteCountMin == 1)
  }
}
