import Glibc
import Leasehold
import Testing

@testable import LeaseholdLocal

/// Pages that are put together from pieces, so that nobody waits long for the ledger.
@Suite struct ListTests {
  @Test func aPageOfManyPiecesHasEachLockOnceWithWhatTheKernelTells() throws {
    let scene = Scene()
    let service = try scene.start()
    for number in 0..<330 { _ = try service.take("list-\(number)") }
    var filter = ListFilter()
    filter.limit = 250
    let first = service.locks(filter)
    #expect(first.entries.count == 250)
    filter.cursor = try #require(first.nextCursor)
    let second = service.locks(filter)
    #expect(second.nextCursor == nil)
    let locks = first.entries + second.entries
    #expect(Set(locks.map(\.key.text)) == Set((0..<330).map { "list-\($0)" }) && locks.count == 330)
    #expect(locks.allSatisfy { $0.available == 0 && $0.availableUnits == 0 && $0.nativeUnits == 0 })
    #expect(locks.allSatisfy { $0.lastPID == getpid() && $0.kernelWaiters == 0 && $0.heldUnits > 0 })
    filter = ListFilter()
    filter.limit = 1000
    #expect(Set(service.leases(filter).entries.map(\.id)).count == 330)
  }

  @Test func aPageLooksAtSoManyRecordsAndNoMore() throws {
    let scene = Scene()
    let service = try scene.start()
    for number in 0..<120 { _ = try service.take("list-\(number)") }
    var filter = ListFilter()
    filter.records = 10
    let page = service.locks(filter)
    #expect(page.entries.count <= 10 && page.nextCursor == 10)
    filter.records = 20_000
    filter.keyPrefix = "list-119"
    #expect(service.locks(filter).entries.map(\.key.text) == ["list-119"])
  }
}
