import HostTestKit
import SysV
import Synchronization
import Testing

@testable import Leasehold
@testable import LeaseholdLocal

/// What was told, in order.
final class Heard: Sendable {
  private let told = Mutex<[FaultNotice]>([])
  func note(_ notice: FaultNotice) { told.withLock { $0.append(notice) } }
  var notices: [FaultNotice] { told.withLock(\.self) }
}

@Suite struct FaultTests {
  @Test func aFaultIsToldWhenItBeginsAndWhenItEndsAndNotBetween() {
    let heard = Heard()
    let book = FaultBook { heard.note($0) }
    book.note(.ledger, nil)
    #expect(heard.notices.isEmpty)
    for reason in ["a", "a", "b"] { book.note(.ledger, reason) }
    book.note(.guardSet, "c")
    #expect(heard.notices == [.began(ServiceFault(.ledger, "a")), .began(ServiceFault(.guardSet, "c"))])
    #expect(book.current == [ServiceFault(.ledger, "b"), ServiceFault(.guardSet, "c")])
    for _ in 0..<2 { book.note(.ledger, nil) }
    #expect(heard.notices.count == 3 && heard.notices.last == .ended(.ledger))
    book.noteReplaced(.guardSet)
    #expect(heard.notices.suffix(2) == [.ended(.guardSet), .replaced(.guardSet)] && book.current.isEmpty)
  }

  @Test func aLedgerOrGuardThatIsRemovedIsMadeAnewAndToldOf() throws {
    let heard = Heard()
    let scene = Scene()
    scene.options.onFault = { heard.note($0) }
    let service = try scene.start()
    try #require(scene.segment).remove()
    try eventually { heard.notices == [.replaced(.ledger)] }
    try service.controlSet.remove()
    try eventually { heard.notices == [.replaced(.ledger), .replaced(.guardSet)] }
    #expect(service.status().neededFault == nil)
  }

  private static let told = ["began", "ended", "replaced"]

  /// Told notices and whether the service was ready: while there is no room for a new one, and when there is.
  private static func course(
    of part: ServiceFault.Part, _ file: String, none: String, some: String,
    removing remove: @escaping @Sendable (Scene) throws -> Void
  ) -> [String]? {
    let seen: [String]?? = OwnNamespace.run { () -> [String]? in
      let heard = Heard()
      let scene = Scene()
      scene.options.onFault = { heard.note($0) }
      // The first lease makes the set that the next one finds.
      guard let service = try? scene.start(), (try? service.take("first")) != nil,
        writeFile("/proc/sys/kernel/\(file)", none)
      else { return nil }
      var seen: [String] = []
      do {
        try remove(scene)
        try eventually { service.status().neededFault?.part == part }
        // Grants go on.
        _ = try service.take("a")
        if case .began(let fault)? = heard.notices.last { seen.append(fault.reason) }
        _ = writeFile("/proc/sys/kernel/\(file)", some)
        try eventually { service.status().neededFault == nil }
        seen += heard.notices.map { "\($0)".prefix { $0 != "(" }.description }
      } catch {
        return ["\(error)"]
      }
      return seen
    }
    return seen ?? nil
  }

  @Test(.enabled(if: OwnNamespace.isAvailable, "needs CAP_SYS_ADMIN for a namespace of its own"))
  func aLedgerThatCannotBeMadeAnewIsAFaultUntilItCan() throws {
    let seen = try #require(
      Self.course(of: .ledger, "shmall", none: "1", some: "1000000") { try $0.segment?.remove() })
    #expect(seen.first?.contains("SHMALL is 1") == true && Array(seen.dropFirst()) == Self.told, "\(seen)")
  }

  @Test(.enabled(if: OwnNamespace.isAvailable, "needs CAP_SYS_ADMIN for a namespace of its own"))
  func aGuardThatCannotBeMadeAnewIsAFaultUntilItCan() throws {
    let seen = try #require(
      Self.course(of: .guardSet, "sem", none: "250 32000 100 0", some: "32000 1024000000 500 32000") {
        try $0.control?.remove()
      })
    #expect(seen.first?.contains("SEMMNI is 0") == true && Array(seen.dropFirst()) == Self.told, "\(seen)")
  }
}
