import Glibc
import HostTestKit
import LeaseholdHost
import LeaseholdTestKit
import SysV
import SystemPackage
import Testing

@testable import Leasehold
@testable import LeaseholdLocal

@Suite struct InventoryTests {
  private let scene = Scene()

  @Test func everySetIsListedOnceWithItsRole() throws {
    let service = try scene.start()
    let lease = try service.take("a")
    _ = try service.take("b", limit: 4)
    let foreign = try SemaphoreSet.create(count: 3, mode: [.ownerReadWrite, .groupRead])
    defer { try? foreign.remove() }
    let sets = try service.semaphoreSets(from: 0, limit: 1000).entries
    #expect(Set(sets.map(\.id)).count == sets.count)
    let bank = try #require(sets.first { $0.id == lease.bank.id })
    #expect(bank.role == .bank(locks: 2, leases: 2))
    #expect((bank.key, bank.status.count, bank.status.permissions.mode) == (lease.place.key, 195, .ownerReadWrite))
    #expect(bank.status.operatedAtSeconds != nil && bank.status.changedAtSeconds > 0)
    let control = try #require(sets.first { $0.key == scene.key })
    #expect(control.role == .control && control.status.count == 3)
    let other = try #require(sets.first { $0.id == foreign.id })
    #expect(other.role == nil && other.status.operatedAtSeconds == nil)
    let permissions = IPCPermissions(
      key: .private, owner: getuid(), group: getgid(), creator: getuid(), creatorGroup: getgid(),
      mode: [.ownerReadWrite, .groupRead])
    #expect(other.status.permissions == permissions)
  }

  @Test func pagesTogetherHoldWhatOneListingDoes() throws {
    let sets = OwnNamespace.run { () -> [[Int32]] in
      guard let service = try? LocalLockService(Scene().options) else { return [] }
      defer { service.stop() }
      let made = (0..<7).compactMap { _ in try? SemaphoreSet.create(count: 1) }
      var paged: [Int32] = []
      var cursor: Int? = 0
      while let from = cursor, let page = try? service.semaphoreSets(from: from, limit: 3) {
        paged += page.entries.map(\.id)
        cursor = page.nextCursor
      }
      let all = (try? service.semaphoreSets(from: 0, limit: 100))?.entries.map(\.id) ?? []
      return [paged, all, made.map(\.id)]
    }
    guard let sets else { return }
    try #require(sets.count == 3)
    #expect(sets[0] == sets[1])
    #expect(sets[2].allSatisfy(sets[0].contains) && sets[0].count == 8)
  }

  @Test func limitsAndUseAreTheKernels() throws {
    let inventory = try scene.start().semaphoreSets(from: 1_000_000, limit: 10)
    #expect(inventory.entries.isEmpty && inventory.nextCursor == nil)
    #expect(try inventory.limits == .current() && inventory.limits.valueMax == 32_767)
    #expect(inventory.usage.sets >= 1 && inventory.usage.semaphores >= 3)
  }

  @Test func oneSetIsToldWithItsSemaphores() throws {
    let service = try scene.start()
    let lease = try service.take("a", limit: 4)
    let second = try service.take("a", limit: 4)
    for address in [IPCAddress.id(lease.bank.id), .key(lease.place.key)] {
      let detail = try service.semaphoreSet(address, for: LocalLockService.caller)
      #expect(detail.info.id == lease.bank.id && detail.info.role == .bank(locks: 1, leases: 2))
      #expect(detail.semaphores.map(\.value) == (try lease.bank.values()).map(Int.init))
      let semaphore = detail.semaphores[lease.place.semaphore]
      #expect((semaphore.value, semaphore.pid) == (2, getpid()))
      #expect(Set(semaphore.leases) == [lease.ref, second.ref])
      #expect(detail.semaphores.reduce(0) { $0 + $1.leases.count } == 2)
      let one = try service.semaphore(lease.place.semaphore, of: address, for: LocalLockService.caller)
      #expect((one.semaphore.value, one.info.id) == (2, lease.bank.id))
      #expect(Set(one.semaphore.leases) == [lease.ref, second.ref])
    }
  }

  @Test func waitersOfBothKindsAreCounted() throws {
    let service = try scene.start()
    let set = try SemaphoreSet.create(count: 2)
    defer { try? set.remove() }
    try set.setValues([0, 1])
    let native = try ChildProcess(
      perl: "if (fork) { semop(\(set.id), pack('s!3', 0, -1, 0)) } else { semop(\(set.id), pack('s!3', 1, 0, 0)) }")
    try eventually {
      let semaphores = try service.semaphoreSet(.id(set.id), for: LocalLockService.caller).semaphores
      return semaphores[0].increaseWaiters == 1 && semaphores[1].zeroWaiters == 1
    }
    #expect(try service.semaphore(0, of: .id(set.id), for: LocalLockService.caller).semaphore.pid == getpid())
    native.end()
  }

  @Test func aSetThatIsNotThereIsNamed() throws {
    let service = try scene.start()
    let gone = try SemaphoreSet.create(count: 1)
    try gone.remove()
    for (address, name) in [
      (IPCAddress.id(gone.id), "id:\(gone.id)"), (.key(-2), "0xfffffffe"), (.id(-1), "id:-1"),
    ] {
      let error = #expect(throws: LeaseholdError.self) {
        try service.semaphoreSet(address, for: LocalLockService.caller)
      }
      #expect(error?.code == .noSuchSet)
      #expect(error?.facts.first?.value == .text(name))
    }
  }

  @Test(.enabled(if: AnotherUser.isAvailable, "needs root and a second user"))
  func aSetThatMayNotBeReadIsPermissionDeniedAndListedAllTheSame() throws {
    let service = try scene.start()
    let set = try SemaphoreSet.create(count: 1, mode: .ownerReadWrite)
    defer { try? set.remove() }
    let error = AnotherUser.run { () -> LeaseholdError? in
      do throws(LeaseholdError) {
        _ = try service.semaphoreSet(.id(set.id), for: LocalLockService.caller)
        return nil
      } catch {
        return error
      }
    }
    #expect(error??.code == .permissionDenied)
    #expect(error??.facts.contains { $0.name == "errno" && $0.value == .text("EACCES") } == true)
    let listed = AnotherUser.run {
      try? service.semaphoreSets(from: 0, limit: 100_000).entries.contains { $0.id == set.id }
    }
    #expect(listed == .some(true))
  }

  @Test func theCountersTellWhatHappened() throws {
    let service = try scene.start()
    var request = try service.request("a")
    request.idempotencyKey = "k"
    guard case .granted(let lease) = service.acquire(request), case .granted(let replay) = service.acquire(request)
    else { throw NeverHappened() }
    #expect(replay.replayed && replay.id == lease.id)
    _ = try service.refusal("a")
    _ = try service.refusal("a", limit: 2)
    _ = try service.renew(lease.id, on: nil, ttl: nil, within: nil, at: HostClock.now())
    try service.giveBack(lease)
    let status = service.status()
    let counters = status.counters
    #expect((counters.granted, counters.replayed, counters.busy, counters.refused) == (1, 1, 1, 1))
    #expect(counters.renewed == 1 && counters.ended.count == EndReason.allCases.count)
    #expect(counters.drift.count == DriftKind.allCases.count)
    #expect(counters.ended[0] == 1 && counters.ended.reduce(0, +) == 1)
    #expect((status.leases, status.locks, status.ledger?.banks, status.ledger?.records) == (0, 1, 1, 2))
    #expect(status.ledger?.recordBytes == LedgerSegment.cellBytes)
    #expect(status.ledger?.ipcNamespace == HostFacts.ipcNamespace() && HostFacts.ipcNamespace() > 0)
  }
}
