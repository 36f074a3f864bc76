import HostTestKit
import LeaseholdHost
import LeaseholdTestKit
import SysV
import SystemPackage
import Testing

@testable import Leasehold
@testable import LeaseholdLocal

@Suite struct BankTests {
  private let scene = Scene()

  @Test func aLockIsThreeSemaphoresOfASignedSet() throws {
    let service = try scene.start()
    let rw = try service.take("rw")
    let counting = try service.take("counting", limit: 5)
    let values = try rw.bank.values()
    #expect(rw.bank == counting.bank && values.count == 195)
    #expect((rw.place.semaphoreCount, rw.place.id) == (195, rw.bank.id))
    #expect(try SemaphoreSet.open(key: IPCKey(rawValue: rw.place.key)) == rw.bank)
    expect(rw.place.semaphore, of: values, free: 0, out: 16_384, live: 16_384)
    expect(counting.place.semaphore, of: values, free: 4, out: 1, live: 5)
    #expect(values[192] == 19_528 && values[193] == 1)
    try service.giveBack(counting)
    expect(counting.place.semaphore, of: try rw.bank.values(), free: 5, out: 0, live: 5)
  }

  private func expect(_ place: Int, of values: [UInt16], free: UInt16, out: UInt16, live: UInt16) {
    #expect([values[place], values[64 + place], values[128 + place]] == [free, out, live])
  }

  @Test(arguments: [0o600, 0o660, 0o666] as [UInt32])
  func setsHaveTheModeThatWasAskedFor(_ mode: UInt32) throws {
    scene.options.setMode = mode
    let lease = try scene.start().take("a")
    #expect(try lease.bank.status().permissions.mode.rawValue == UInt16(mode))
    #expect(try lease.bank.status().operatedAtSeconds != nil)
    #expect(try #require(scene.control).status().permissions.mode == .ownerReadWrite)
  }

  @Test func theSixtyFifthLockGoesToASecondSet() throws {
    let service = try scene.start()
    let leases = try (0..<65).map { try service.take("lock \($0)") }
    #expect(Set(leases.prefix(64).map(\.place.id)).count == 1)
    #expect(Set(leases.prefix(64).map(\.place.semaphore)) == Set(0..<64))
    #expect(leases[64].place.id != leases[0].place.id)
    #expect(leases[64].place.key != leases[0].place.key)
    #expect(service.status().ledger?.banks == 2)
  }

  @Test func aKeyOfSomebodyElseIsSkipped() throws {
    let low = UInt32(bitPattern: scene.key) & 0xffff
    let firstKey = IPCKey(rawValue: Int32(bitPattern: 0x4c49_0000 | low))
    let foreign = try SemaphoreSet.create(key: firstKey, count: 2)
    defer { try? foreign.remove() }
    let service = try scene.start()
    let lease = try service.take("a")
    #expect(UInt32(bitPattern: lease.place.key) == 0x4c4a_0000 | low)
    #expect(try foreign.values() == [0, 0])
    let again = try scene.restart(service)
    #expect(again.end(of: lease) == nil)
    #expect(try foreign.status().count == 2)
  }

  @Test func aSetWhoseMakerDiedIsRemovedByTheNextService() throws {
    let low = UInt32(bitPattern: scene.key) & 0xffff
    let half = try SemaphoreSet.create(
      key: IPCKey(rawValue: Int32(bitPattern: 0x4c49_0000 | low)), count: NamedDialect.semaphoresPerBank)
    let service = try scene.start()
    #expect(throws: Errno.invalidArgument) { try half.status() }
    #expect(service.status().ledger?.recovery.setsRemoved == 1)
  }

  @Test func aSetOfThatSizeWithAnotherSignatureIsLeftAlone() throws {
    let low = UInt32(bitPattern: scene.key) & 0xffff
    let foreign = try SemaphoreSet.create(
      key: IPCKey(rawValue: Int32(bitPattern: 0x4c49_0000 | low)), count: NamedDialect.semaphoresPerBank)
    try foreign.operate([.add(1, to: 0)])
    let service = try scene.start()
    _ = try service.take("a")
    #expect(try foreign.value(of: 0) == 1)
    #expect(service.status().ledger?.recovery.setsRemoved == 0)
  }

  @Test func servicesWhoseControlKeysShareTheLowHalfLeaveEachOthersSetsAlone() throws {
    let one = Scene(highHalf: 0x2a5d)
    let other = Scene(highHalf: 0x2a5e, lowHalf: UInt32(bitPattern: one.key) & 0xffff)
    let first = try one.start()
    let lease = try first.take("a")
    let second = try other.start()
    let foreign = try second.take("a")
    #expect(lease.place.id != foreign.place.id)
    #expect(second.status().ledger?.recovery.setsRemoved == 0)
    #expect(try first.lock(try lockKey("a")).heldUnits == 16_384)
    let again = try one.restart(first)
    #expect(again.end(of: lease) == nil && second.end(of: foreign) == nil)
    #expect(try second.lock(try lockKey("a")).availableUnits == 0)
  }

  @Test func theSetsOfAStoppedServiceStayAndThoseOfIdleLocksGo() throws {
    let first = try scene.start()
    let leases = try (0..<70).map { try first.take("lock \($0)") }
    for lease in leases {
      try first.giveBack(lease)
      try first.remove(LockName(lease.key), force: false, within: nil, at: HostClock.now())
    }
    #expect(first.status().ledger?.banks == 1)
    scene.stop(first)
    #expect(scene.banks.count == 1)
    let second = try scene.start()
    #expect(second.status().ledger?.banks == 0)
    #expect(scene.banks.isEmpty)
  }

  @Test(.enabled(if: AnotherUser.isAvailable, "needs root and a second user"))
  func aSetOfAnotherUserIsNoBankWhateverItsValues() throws {
    let first = try scene.start()
    let lease = try first.take("a")
    let values = try lease.bank.values()
    scene.stop(first)
    let key = IPCKey(rawValue: lease.place.key)
    try lease.bank.remove()
    let foreign = try #require(
      AnotherUser.run { () -> SemaphoreSet? in
        let mode: IPCMode = [.ownerReadWrite, .groupReadWrite, .otherReadWrite]
        guard let set = try? SemaphoreSet.create(key: key, count: values.count, mode: mode) else { return nil }
        return (try? set.setValues(values)) == nil ? nil : set
      } ?? nil)
    let second = try scene.start()
    #expect(second.end(of: lease) == .setRemoved && second.status().ledger?.recovery.setsRemoved == 0)
    let fresh = try second.take("a")
    #expect(fresh.bank != foreign)
    #expect(try foreign.values() == values, "it is neither used nor removed")
  }
}
